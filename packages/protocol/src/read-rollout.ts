/** Documents of rollouts for devices, which take the schemas in only to say what is wrong with one. */
import { isRollout, isWithdrawnVersions } from "./generated/rollout-check.ts";
import { parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import type { Rollout, WithdrawnVersions } from "./rollout.ts";
import { requireSoundArms } from "./rollout-arm.ts";

/** As `parseRollout`. @throws protocol/invalid-document with the path of the first fault in `detail` */
export async function readRollout(bytes: Uint8Array): Promise<Rollout> {
  const json = parseJson("rollout", bytes, LIMITS.maxPlanBytes);
  if (!isRollout(json)) return (await import("./rollout.ts")).parseRollout(bytes);
  requireSoundArms(json);
  return json;
}

/** As `parseWithdrawnVersions`. @throws protocol/invalid-document with the path of the first fault in `detail` */
export async function readWithdrawnVersions(bytes: Uint8Array): Promise<WithdrawnVersions> {
  const json = parseJson("withdrawn versions", bytes, LIMITS.maxPlanBytes);
  if (isWithdrawnVersions(json)) return json;
  return (await import("./rollout.ts")).parseWithdrawnVersions(bytes);
}
