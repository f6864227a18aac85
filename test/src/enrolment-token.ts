import { openEnrolmentTokens } from "@tributary/coordinator";
import { asPopulationName } from "@tributary/core";

/** An enrolment token as the app's backend would mint it, with the secret in the coordinator's data directory. */
export function mintToken(dataDir: string, population = "default"): Promise<string> {
  return openEnrolmentTokens(dataDir).mint(asPopulationName(population));
}
