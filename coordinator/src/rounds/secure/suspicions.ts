import type { DeviceId, ErrorCode, RoundId, TaskName, TributaryError } from "@tributary/core";
import { judgeCohort, judgeRefusal, type CohortVerdict, type SuspicionPoints } from "@tributary/federation";
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

/** Refused for what the device put into the update; the network may be the reason for all others. */
const ITS_FAULT: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "update/not-finite",
  "update/norm-too-large",
  "update/statistic-out-of-range",
  "update/wrong-shape",
  "update/invalid-header",
  "update/mismatched-round",
  "update/invalid-weight",
  "update/invalid-metrics",
]);

export function isItsFault({ code }: Pick<TributaryError, "code">): boolean {
  return ITS_FAULT.has(code);
}

export interface RefusedUpdate {
  readonly task: TaskName;
  readonly roundId: RoundId;
  readonly deviceId: DeviceId;
  /** Ms since the epoch. */
  readonly at: number;
}

/**
 * Writes down that an update was refused for what is in it; a round that counts one of the device's clears it.
 *
 * @returns an event for the audit log, where the device is quarantined now
 */
export async function recordRefusal(
  { suspicions }: Pick<MetadataRepositories, "suspicions">,
  { task, roundId, deviceId, at }: RefusedUpdate,
): Promise<readonly NewEvent[]> {
  const before = await suspicions.get(task, deviceId);
  if (before?.state === "quarantined") return [];
  const { points, quarantined } = judgeRefusal(before?.points ?? 0);
  const state = quarantined ? "quarantined" : "suspected";
  const record: SuspicionRecord = { task, deviceId, points, state, roundId, at };
  await suspicions.put([record]);
  return quarantined ? [suspicionEvent(record, "quarantined")] : [];
}

export function pointsOf(records: readonly SuspicionRecord[]): SuspicionPoints {
  return new Map(
    records.flatMap(({ deviceId, points, state }) => (state === "suspected" ? [[deviceId, points]] : [])),
  );
}
