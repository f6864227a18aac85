import type { DeviceId, ErrorCode, RoundId, SecureRandom, TaskName, TributaryError } from "@tributary/core";
import { judgeCohort, judgeRefusal, type CohortVerdict, type SuspicionPoints } from "@tributary/federation";
import { deviceQuarantined } from "../../audit/records.ts";
import type { MetadataRepositories } from "../../ports/metadata-store.ts";
import type { NewEvent } from "../../ports/event-records.ts";
import type { SuspicionRecord } from "../../ports/task-records.ts";
import { suspicionEvent } from "../../registry/views.ts";

export interface RoundVerdict extends CohortVerdict {
  readonly task: TaskName;
  readonly roundId: RoundId;
  /** Ms since the epoch. */
  readonly at: number;
}

type Suspecting = Pick<MetadataRepositories, "suspicions" | "audit">;

/**
 * Writes down what a cohort's sum says of its members, as a part of the round's own transaction.
 *
 * @param random - for names of devices in the audit log
 * @returns an event, where a device is quarantined
 */
export async function recordVerdict(
  tx: Suspecting,
  verdict: RoundVerdict,
  random: SecureRandom,
): Promise<readonly NewEvent[]> {
  const { suspicions } = tx;
  const { task, roundId, at } = verdict;
  const before = (await suspicions.list(task)).filter(({ state }) => state === "suspected");
  // Nearly always: nobody is suspected, and the sum holds.
  if (before.length === 0 && verdict.held) return [];
  const { points, quarantined: worst } = judgeCohort(pointsOf(before), verdict);
  const contributors = new Set<DeviceId>(verdict.contributors);
  const changed = [...points].filter(([device]) => contributors.has(device));
  await suspicions.remove(
    task,
    before.flatMap(({ deviceId }) => (points.has(deviceId) ? [] : [deviceId])),
  );
  await suspicions.put(
    changed.map(([deviceId, each]) => ({ task, deviceId, points: each, state: "suspected", roundId, at })),
  );
  if (worst === null) return [];
  const found: SuspicionRecord = {
    task,
    deviceId: worst,
    points: (before.find(({ deviceId }) => deviceId === worst)?.points ?? 0) + 1,
    state: "quarantined",
    roundId,
    at,
  };
  await suspicions.put([found]);
  return [await quarantined(tx, found, random)];
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
 * @param random - for names of devices in the audit log
 * @returns an event, where the device is quarantined now
 */
export async function recordRefusal(
  tx: Suspecting,
  { task, roundId, deviceId, at }: RefusedUpdate,
  random: SecureRandom,
): Promise<readonly NewEvent[]> {
  const { suspicions } = tx;
  const before = await suspicions.get(task, deviceId);
  if (before?.state === "quarantined") return [];
  const { points, quarantined: isTooMuch } = judgeRefusal(before?.points ?? 0);
  const state = isTooMuch ? "quarantined" : "suspected";
  const record: SuspicionRecord = { task, deviceId, points, state, roundId, at };
  await suspicions.put([record]);
  return isTooMuch ? [await quarantined(tx, record, random)] : [];
}

async function quarantined(
  { audit }: Pick<Suspecting, "audit">,
  record: SuspicionRecord,
  random: SecureRandom,
): Promise<NewEvent> {
  await audit.append([await deviceQuarantined(audit, record, random)], record.at);
  return suspicionEvent(record, "quarantined");
}

export function pointsOf(records: readonly SuspicionRecord[]): SuspicionPoints {
  return new Map(
    records.flatMap(({ deviceId, points, state }) => (state === "suspected" ? [[deviceId, points]] : [])),
  );
}
