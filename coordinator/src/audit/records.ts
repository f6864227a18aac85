import {
  encodeUtf8,
  sha256,
  type DeviceId,
  type Digest,
  type ModelName,
  type RoundId,
  type SecureRandom,
  type TaskName,
} from "@tributary/core";
import {
  canonicalText,
  type AuditAction,
  type AuditActor,
  type CardNotes,
  type JsonDocument,
  type NewAuditRecord,
  type RetentionRule,
  type TaskSpec,
  type VerdictView,
} from "@tributary/protocol";
import { keyIdOf } from "@tributary/tuf";
import type { AuditRepository } from "../ports/audit-repository.ts";
import type { VersionRecord, WithdrawalRecord } from "../ports/model-records.ts";
import type { RoleRecord } from "../ports/release-records.ts";
import type { RolloutRecord } from "../ports/rollout-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { auditedDevice, coordinatorFor } from "./actors.ts";

// What the records of the audit log say.

/** What a version was exported as before it came here. */
export interface ImportedFrom {
  readonly manifest: Digest;
}

/** A version that an operator made, or brought from elsewhere. */
export function versionPublished(
  actor: AuditActor,
  version: VersionRecord,
  imported?: ImportedFrom,
): NewAuditRecord {
  const { model, parentVersion, graph, weights } = version;
  return {
    actor,
    action: imported === undefined ? "model.publish" : "model.import",
    object: { model, version: version.version },
    detail: { ...imported, parentVersion, graph: graph.digest, weights: weights.digest },
  };
}

/** A task, by the digests of what it was made of. */
export function taskCreated(
  actor: AuditActor,
  { name, model, spec, plan, gatePlan }: TaskRecord,
): NewAuditRecord {
  return {
    actor,
    action: "task.create",
    object: { model, task: name, population: spec.population },
    detail: {
      kind: spec.kind,
      spec: digestOfSpec(spec),
      plan: plan.digest,
      gatePlan: gatePlan?.digest ?? null,
    },
  };
}

/** An operator paused a task, or let it go on. */
export function taskChanged(
  actor: AuditActor,
  before: TaskRecord,
  { name, model, state, spec }: TaskRecord,
): NewAuditRecord {
  return {
    actor,
    action: state === "running" ? "task.resume" : "task.pause",
    object: { model, task: name },
    detail: { before: before.state, rounds: spec.rounds, spec: digestOfSpec(spec) },
  };
}

/** How long versions of a model stay in the release. */
export function retentionChanged(actor: AuditActor, model: ModelName, rule: RetentionRule): NewAuditRecord {
  return { actor, action: "model.retention", object: { model }, detail: { ...rule } };
}

/** What operators write on the cards of a model; the text stands in the model's row. */
export function cardNotesWritten(actor: AuditActor, model: ModelName, notes: CardNotes): NewAuditRecord {
  const digest = sha256(encodeUtf8(canonicalText(notes)));
  return { actor, action: "model.notes", object: { model }, detail: { notes: digest } };
}

/** A channel points to a version from here on. */
export function channelMoved(
  actor: AuditActor,
  channel: string,
  { model, version, weights }: Pick<VersionRecord, "model" | "version" | "weights">,
): NewAuditRecord {
  return {
    actor,
    action: "model.release",
    object: { model, version, channel },
    detail: { weights: weights.digest },
  };
}

/** A task stopped by itself: it is done, or waits for an operator. */
export function taskStopped(
  { name: task, model, state, reason }: Pick<TaskRecord, "name" | "model" | "state" | "reason">,
  round?: RoundId,
): NewAuditRecord {
  return {
    actor: coordinatorFor({ task, ...(round && { round }) }),
    action: state === "finished" ? "task.finish" : "task.pause-automatic",
    object: { model, task },
    detail: { reason: reason && { ...reason } },
  };
}

/** What a gate found of a version. */
export function gateVerdict(
  { name: task, model }: Pick<TaskRecord, "name" | "model">,
  candidate: VersionRecord["version"],
  found: VerdictView,
): NewAuditRecord {
  const { roundId: round, at: _, ...verdict } = found;
  return {
    actor: coordinatorFor({ task, round }),
    action: "gate.verdict",
    object: { model, version: candidate, task, round },
    detail: verdict,
  };
}

/** A device takes no part in a task's rounds any more. */
export async function deviceQuarantined(
  audit: Pick<AuditRepository, "pseudonym" | "setPseudonym">,
  found: {
    readonly task: TaskName;
    readonly roundId: RoundId;
    readonly deviceId: DeviceId;
    readonly points: number;
  },
  random: SecureRandom,
): Promise<NewAuditRecord> {
  const { task, roundId: round, deviceId, points } = found;
  return {
    actor: coordinatorFor({ task, round }),
    action: "device.quarantine",
    object: { task, round, device: await auditedDevice(audit, deviceId, random) },
    detail: { points },
  };
}

/** A round that made nothing. */
export function roundAbandoned(round: {
  readonly id: RoundId;
  readonly task: TaskName;
  readonly model: ModelName;
  readonly purpose: string;
  readonly reason: string | null;
}): NewAuditRecord {
  const { id, task, model, purpose, reason } = round;
  return {
    actor: coordinatorFor({ task, round: id }),
    action: "round.abandon",
    object: { model, task, round: id },
    detail: { purpose, reason },
  };
}

/** Roles that were given keys, or other ones. */
export function keysGiven(
  actor: AuditActor,
  action: "key.create" | "key.rotate" | "key.set",
  roles: readonly RoleRecord[],
): NewAuditRecord[] {
  return roles.map(({ role, model, keys, threshold }) => ({
    actor,
    action,
    object: { role, ...(model && { model }) },
    detail: { keyIds: keys.map(keyIdOf), threshold },
  }));
}

/** Of its canonical JSON. */
function digestOfSpec(spec: TaskSpec): Digest {
  return sha256(encodeUtf8(canonicalText(spec as unknown as JsonDocument)));
}

/** What became of a rollout, by an operator or by its gates. */
export function rolloutChanged(
  actor: AuditActor,
  action: Extract<AuditAction, `rollout.${string}`>,
  { model, channel, rollout, config, state }: RolloutRecord,
): NewAuditRecord {
  const reason = "reason" in state ? state.reason : null;
  return {
    actor,
    action,
    object: { model, channel, rollout },
    detail: {
      control: config.control,
      arms: state.arms.map(({ name, version, ended }) => ({ name, version, ended: ended?.message ?? null })),
      spec: sha256(encodeUtf8(canonicalText(JSON.parse(JSON.stringify(config.spec)) as JsonDocument))),
      state: state.phase,
      step: state.step + 1,
      reason: reason && { code: reason.code, message: reason.message },
    },
  };
}

/** No device runs a version any more. */
export function versionWithdrawn(
  actor: AuditActor,
  { model, version, reason }: WithdrawalRecord,
  rollout?: string,
): NewAuditRecord {
  return {
    actor,
    action: "version.withdraw",
    object: { model, version, ...(rollout === undefined ? {} : { rollout }) },
    detail: { reason },
  };
}
