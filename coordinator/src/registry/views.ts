import type {
  AliasChange,
  AliasView,
  ChannelChange,
  ChannelView,
  ModelView,
  RefusalView,
  RoundView,
  SuspicionView,
  TaskView,
  VersionView,
} from "@tributary/protocol";
import type { NewEvent } from "../ports/event-records.ts";
import type { JsonValue } from "../ports/json.ts";
import type { AliasRecord, ChannelRecord, ModelRecord, VersionRecord } from "../ports/model-records.ts";
import type { RefusalRecord, RoundRecord } from "../ports/round-records.ts";
import type { SuspicionRecord, TaskRecord } from "../ports/task-records.ts";

/** RFC 3339 in UTC, of ms since the epoch. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}

export const optionalTimestamp = (ms: number | null) => (ms === null ? null : timestamp(ms));

export function refusalView({ deviceId, code, detail, at }: RefusalRecord): RefusalView {
  return { device: deviceId, code, detail, at: timestamp(at) };
}

export function suspicionView(
  { task, deviceId, points, state, roundId, at }: SuspicionRecord,
  now: SuspicionView["state"] = state,
): SuspicionView {
  return { task, device: deviceId, points, state: now, roundId, at: timestamp(at) };
}

export function roundView(record: RoundRecord): RoundView {
  const { config: _, startedAt, endedAt, deadlineAt, phases, ...rest } = record;
  return {
    ...rest,
    startedAt: timestamp(startedAt),
    endedAt: optionalTimestamp(endedAt),
    deadlineAt: optionalTimestamp(deadlineAt),
    phases: phases.map(({ at, ...phase }) => ({ ...phase, at: timestamp(at) })),
  };
}

export function versionView(record: VersionRecord): VersionView {
  return {
    model: record.model,
    version: record.version,
    parentVersion: record.parentVersion,
    roundId: record.roundId,
    createdAt: timestamp(record.createdAt),
    weightsDigest: record.weights.digest,
    sizeBytes: record.weights.sizeBytes,
    int8SizeBytes: record.int8.sizeBytes,
    parameterCount: record.parameterCount,
    loss: record.loss,
    accuracy: record.accuracy,
    metrics: record.metrics,
    cohort: record.cohort,
    numExamples: record.numExamples,
    strategy: record.strategy,
    releasedAt: optionalTimestamp(record.releasedAt),
    gate: record.gate,
    trust: record.trust,
    lineage: record.lineage,
  };
}

export function channelView({ name, version, releasedAt }: ChannelRecord): ChannelView {
  return { name, version, releasedAt: timestamp(releasedAt) };
}

export function aliasView({ name, version, movedAt }: AliasRecord): AliasView {
  return { name, version, movedAt: timestamp(movedAt) };
}

export function modelView(
  record: ModelRecord,
  more: {
    readonly versions: number;
    readonly channels: readonly ChannelRecord[];
    readonly aliases: readonly AliasRecord[];
  },
): ModelView {
  return {
    name: record.name,
    currentVersion: record.currentVersion,
    releasedVersion: record.releasedVersion,
    releasedAt: timestamp(record.releasedAt),
    channels: more.channels.map(channelView),
    aliases: more.aliases.map(aliasView),
    parameterCount: record.parameterCount,
    createdAt: timestamp(record.createdAt),
    versions: more.versions,
    inputs: record.inputs,
    outputs: record.outputs,
  };
}

/** What a task's view shows beside its own row. */
export interface TaskProgress {
  readonly currentVersion: ModelRecord["currentVersion"];
  /** The newest round, running or ended. */
  readonly round: RoundRecord | null;
  readonly roundsCommitted: number;
}

export function taskView(record: TaskRecord, progress: TaskProgress): TaskView {
  return {
    name: record.name,
    model: record.model,
    population: record.population,
    state: record.state,
    spec: record.spec,
    currentVersion: progress.currentVersion,
    round: progress.round === null ? null : roundView(progress.round),
    roundsCommitted: progress.roundsCommitted,
    gate: record.gate && record.spec.gate && { ...record.gate, patience: record.spec.gate.patience },
    createdAt: timestamp(record.createdAt),
    reason: record.reason,
  };
}

// Views are JSON by their schemas; TypeScript does not see that of an interface.
const json = (view: RoundView | TaskView | VersionView | SuspicionView | ChannelChange | AliasChange) =>
  view as unknown as JsonValue;

/** The logged events that carry these views. */
export function roundEvent(record: RoundRecord): NewEvent {
  return { type: "round", data: json(roundView(record)) };
}
export function versionEvent(record: VersionRecord): NewEvent {
  return { type: "version", data: json(versionView(record)) };
}
export function taskEvent(record: TaskRecord, progress: TaskProgress): NewEvent {
  return { type: "task", data: json(taskView(record, progress)) };
}
/** A channel other than stable was moved or, where the version is null, removed. */
export function channelEvent(change: ChannelChange): NewEvent {
  return { type: "channel", data: json(change) };
}
/** An operator moved an alias or, where the version is null, removed it. */
export function aliasEvent(change: AliasChange): NewEvent {
  return { type: "alias", data: json(change) };
}
/** For the audit log: who was quarantined, and whom an operator released. */
export function suspicionEvent(record: SuspicionRecord, state: SuspicionView["state"]): NewEvent {
  return { type: "suspicion", data: json(suspicionView(record, state)) };
}
