import type { ErrorCode, ModelVersion } from "@tributary/core";
import type { RoundConfig } from "@tributary/federation";
import type { VersionRecord } from "../../ports/model-records.ts";
import type { TaskRecord } from "../../ports/task-records.ts";
import { resumableOrAbandoned, type InterruptedRound } from "../interrupted-round.ts";
import { isOutdated } from "../outdated-round.ts";
import type { RoundServices } from "../round-services.ts";
import { replacedSince } from "./read-buffer.ts";

/**
 * What an earlier process left of a buffered task's rounds, oldest first: cohorts whose sums may still enter the buffer go on,
 * and so does the measurement of its gate. The others are abandoned, each with its reason.
 *
 * @param isLive - whether a sum on this version may still enter
 */
export async function findInterruptedCohorts(
  services: RoundServices,
  task: TaskRecord,
  head: VersionRecord,
  isLive: (base: ModelVersion) => boolean,
): Promise<readonly InterruptedRound[]> {
  const open = (await services.store.rounds.open()).filter((round) => round.task === task.name);
  const oldest = Math.min(...open.map(({ baseVersion }) => baseVersion));
  const replacedBy = await replacedSince(services, task, head, oldest);
  const outdated = (config: RoundConfig, newest: ModelVersion): ErrorCode | undefined => {
    if (config.measurement !== undefined)
      return isOutdated(config, newest) ? "round/base-replaced" : undefined;
    if (config.baseVersion < replacedBy) return "round/base-replaced";
    return isLive(config.baseVersion) ? undefined : "round/superseded";
  };
  const found: InterruptedRound[] = [];
  for (const record of open) {
    const round = await resumableOrAbandoned(services, task, record, outdated);
    if (round !== undefined) found.push(round);
  }
  return found;
}
