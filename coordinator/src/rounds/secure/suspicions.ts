import type { DeviceId, RoundId, TaskName } from "@tributary/core";
import { judgeCohort, type CohortVerdict, type SuspicionPoints } from "@tributary/federation";
import type { MetadataRepositories } from "../../ports/metadata-store.ts";
import type { NewEvent, SuspicionRecord } from "../../ports/records.ts";
import { suspicionEvent } from "../../registry/views.ts";

export interface RoundVerdict extends CohortVerdict {
  readonly task: TaskName;
  readonly roundId: RoundId;
  /** Ms since the epoch. */
  readonly at: number;
}

/**
 * Writes down what a cohort's sum says of its members, as a part of the round's own transaction.
 *
 * @returns an event for the audit log, where a device is quarantined
 */
export async function recordVerdict(
  { suspicions }: Pick<MetadataRepositories, "suspicions">,
  verdict: RoundVerdict,
): Promise<readonly NewEvent[]> {
  const { task, roundId, at } = verdict;
  const before = (await suspicions.list(task)).filter(({ state }) => state === "suspected");
  // Nearly always: nobody is suspected, and the sum holds.
  if (before.length === 0 && verdict.held) return [];
  const { points, quarantined } = judgeCohort(pointsOf(before), verdict);
  const contributors = new Set<DeviceId>(verdict.contributors);
  const changed = [...points].filter(([device]) => contributors.has(device));
  await suspicions.remove(
    task,
    before.flatMap(({ deviceId }) => (points.has(deviceId) ? [] : [deviceId])),
  );
  await suspicions.put(
    changed.map(([deviceId, each]) => ({ task, deviceId, points: each, state: "suspected", roundId, at })),
  );
  if (quarantined === null) return [];
  const found: SuspicionRecord = {
    task,
    deviceId: quarantined,
    points: (before.find(({ deviceId }) => deviceId === quarantined)?.points ?? 0) + 1,
    state: "quarantined",
    roundId,
    at,
  };
  await suspicions.put([found]);
  return [suspicionEvent(found, "quarantined")];
}

export function pointsOf(records: readonly SuspicionRecord[]): SuspicionPoints {
  return new Map(
    records.flatMap(({ deviceId, points, state }) => (state === "suspected" ? [[deviceId, points]] : [])),
  );
}
