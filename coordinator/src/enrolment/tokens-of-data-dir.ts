import { join } from "node:path";
import { systemClock, systemRandom, type PopulationName } from "@tributary/core";
import { OPERATOR_BY_FILES } from "../audit/actors.ts";
import { recordInDataDir } from "../audit/record-in-data-dir.ts";
import { createEnrolmentTokens, type EnrolmentTokens, type MintOptions } from "./enrolment-token.ts";
import { openPopulationSecrets } from "./population-secrets.ts";

/** Mints and verifies enrolment tokens with the secrets of a data directory; its coordinator may run meanwhile. */
export function openEnrolmentTokens(dataDir: string): EnrolmentTokens {
  const secrets = openPopulationSecrets(join(dataDir, "keys"), systemRandom);
  return createEnrolmentTokens({ secrets, clock: systemClock, random: systemRandom });
}

/** Mints a token as an operator does, one by one: it is in the audit log by its id, before anybody has it. */
export async function mintRecordedToken(
  dataDir: string,
  population: PopulationName,
  options?: MintOptions,
): Promise<string> {
  const tokens = openEnrolmentTokens(dataDir);
  const token = await tokens.mint(population, options);
  const { id, expiresAtMs, maxUses } = await tokens.verify(population, token);
  const detail = { token: id, expiresAt: new Date(expiresAtMs).toISOString(), maxUses };
  await recordInDataDir(
    dataDir,
    { actor: OPERATOR_BY_FILES, action: "token.create", object: { population }, detail },
    systemClock.now(),
  );
  return token;
}
