import { join } from "node:path";
import { systemClock, systemRandom } from "@tributary/core";
import { createEnrolmentTokens, type EnrolmentTokens } from "./enrolment-token.ts";
import { openPopulationSecrets } from "./population-secrets.ts";

/** Mints and verifies enrolment tokens with the secrets of a data directory; its coordinator may run meanwhile. */
export function openEnrolmentTokens(dataDir: string): EnrolmentTokens {
  const secrets = openPopulationSecrets(join(dataDir, "keys"), systemRandom);
  return createEnrolmentTokens({ secrets, clock: systemClock, random: systemRandom });
}
