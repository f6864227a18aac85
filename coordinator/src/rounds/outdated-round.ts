import type { RoundConfig } from "@tributary/federation";

/** Whether a round's result would be of no use with this version published: what only measures keeps its use. */
export function isOutdated({ baseVersion, measurement }: RoundConfig, version: number): boolean {
  if (measurement === undefined) return version > baseVersion;
  return measurement.purpose === "gate" && version > (measurement.candidate?.version ?? baseVersion);
}
