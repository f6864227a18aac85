import { encodeUtf8, failure, sha256, type Digest } from "@tributary/core";
import Type, { type Static } from "typebox";
import { Check } from "typebox/value";
import { canonicalText, type JsonDocument } from "./canonical-text.ts";
import {
  ChannelSchema,
  DeviceIdSchema,
  DigestSchema,
  ModelNameSchema,
  ModelVersionSchema,
  PopulationNameSchema,
  RoundIdSchema,
  TaskNameSchema,
  textEnum,
  UtcTimestampSchema,
} from "./schema.ts";

// The audit log: what operators did and what was decided without them, each record with the hash of the one before it.

/** All that is recorded. A name is never given another meaning, as records keep it. */
export const AUDIT_ACTIONS = [
  "alert-rule.remove",
  "alert-rule.set",
  "alert-silence.create",
  "alert-silence.end",
  "alert.acknowledge",
  "alert.unacknowledge",
  "alias.move",
  "alias.remove",
  "api-token.create",
  "api-token.revoke",
  "backup.create",
  "backup.restore",
  "blob.upload",
  "channel.remove",
  "cohort.discard",
  "device.erase",
  "device.quarantine",
  "device.readmit",
  "device.release",
  "device.revoke",
  "gate.verdict",
  "issuer.set",
  "key.create",
  "key.rotate",
  "key.set",
  "key.sign",
  "login.allow",
  "model.import",
  "model.notes",
  "model.publish",
  "model.release",
  "model.retention",
  "notification-channel.remove",
  "notification-channel.set",
  "notification-channel.test",
  "operator.create",
  "operator.grants",
  "operator.password",
  "operator.remove",
  "plan.renew",
  "policy.decide",
  "policy.remove",
  "policy.set",
  "rollout.abort",
  "rollout.back",
  "rollout.complete",
  "rollout.pause",
  "rollout.promote",
  "rollout.resume",
  "rollout.start",
  "rollout.step",
  "round.abandon",
  "round.commit",
  "session.begin",
  "session.end",
  "task.create",
  "task.finish",
  "task.pause",
  "task.pause-automatic",
  "task.reset",
  "task.resume",
  "token.create",
  "version.withdraw",
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Longest canonical text of a record's `detail`, in UTF-8. */
export const MAX_AUDIT_DETAIL_BYTES = 4_096;

/** Who did it. */
export const AuditActor = Type.Union([
  Type.Object(
    {
      kind: Type.Literal("operator"),
      via: textEnum(["http", "files", "process"], {
        description:
          "http: signed in, or with a token; files: who can write the data directory; process: who runs the coordinator",
      }),
      name: Type.Optional(
        Type.String({ minLength: 1, maxLength: 128, description: "As whom they signed in, by http" }),
      ),
      subject: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 255,
          description: "Who that is at the identity provider, where one vouched: names may change there",
        }),
      ),
    },
    { additionalProperties: false },
  ),
  Type.Object(
    {
      kind: Type.Literal("coordinator"),
      task: Type.Optional(TaskNameSchema),
      round: Type.Optional(RoundIdSchema),
      rollout: Type.Optional(Type.String({ maxLength: 64 })),
      policy: Type.Optional(Type.String({ maxLength: 80 })),
    },
    {
      additionalProperties: false,
      description: "By itself: for this task, in this round or rollout, or as this policy says",
    },
  ),
  Type.Object(
    { kind: Type.Literal("device") },
    { additionalProperties: false, description: "Whose device it is" },
  ),
]);
export type AuditActor = Static<typeof AuditActor>;

/** What it was done to. */
export const AuditObject = Type.Object(
  {
    model: Type.Optional(ModelNameSchema),
    version: Type.Optional(ModelVersionSchema),
    task: Type.Optional(TaskNameSchema),
    round: Type.Optional(RoundIdSchema),
    population: Type.Optional(PopulationNameSchema),
    device: Type.Optional(
      Type.Unsafe<Static<typeof DeviceIdSchema>>({
        ...DeviceIdSchema,
        description:
          "A pseudonym of the audit log: what leads from a device to it is forgotten with the device",
      }),
    ),
    role: Type.Optional(Type.String({ maxLength: 128 })),
    channel: Type.Optional(ChannelSchema),
    alias: Type.Optional(Type.String({ maxLength: 64 })),
    rollout: Type.Optional(Type.String({ maxLength: 64 })),
    rule: Type.Optional(Type.String({ maxLength: 64, description: "Of alerts" })),
    alert: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
    policy: Type.Optional(Type.String({ maxLength: 80 })),
    notificationChannel: Type.Optional(Type.String({ maxLength: 64 })),
    silence: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
  },
  { additionalProperties: false },
);
export type AuditObject = Static<typeof AuditObject>;

const RecordIndex = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

export const AuditRecord = Type.Object({
  index: RecordIndex,
  at: UtcTimestampSchema,
  actor: AuditActor,
  action: Type.String({ maxLength: 64 }),
  object: AuditObject,
  detail: Type.Unsafe<{ readonly [key: string]: JsonDocument }>(
    Type.Object(
      {},
      { additionalProperties: true, description: "Digests stand for documents, and nothing is secret" },
    ),
  ),
  previous: Type.Unsafe<Digest>({
    ...DigestSchema,
    description: "The hash of the record before; 64 zeros in the first",
  }),
  hash: Type.Unsafe<Digest>({
    ...DigestSchema,
    description: "SHA-256 of the record without this field, in canonical JSON (RFC 8785)",
  }),
});
export type AuditRecord = Static<typeof AuditRecord>;

/** What is to be recorded; its place in the log is found when it is written. */
export interface NewAuditRecord {
  readonly actor: AuditActor;
  readonly action: AuditAction;
  readonly object: AuditObject;
  /** As JSON writes it: what is no number is null. */
  readonly detail?: { readonly [key: string]: JsonDocument };
}

/** A state of the log: how many records, and the hash of the last. */
export const AuditHead = Type.Object({ size: RecordIndex, hash: DigestSchema });
export type AuditHead = Static<typeof AuditHead>;

/** Before the first record. */
export const EMPTY_AUDIT_LOG: AuditHead = { size: 0, hash: "0".repeat(64) as Digest };

/** The head after a record that is to be trusted. */
export function auditHeadAfter({ index, hash }: Pick<AuditRecord, "index" | "hash">): AuditHead {
  return { size: index + 1, hash };
}

/** Of all that a record says, whatever its fields are, but `hash` itself. */
export function auditHash(record: Omit<AuditRecord, "hash"> & { readonly hash?: unknown }): Digest {
  const { hash: _, ...hashed } = record;
  return sha256(encodeUtf8(canonicalText(hashed as JsonDocument)));
}

/**
 * The record that follows a head.
 *
 * @param at ms since the epoch
 * @throws RangeError for a detail that is too long
 */
export function nextAuditRecord(head: AuditHead, asked: NewAuditRecord, at: number): AuditRecord {
  const { actor, action, object, detail = {} } = asReadBack(asked);
  const sizeBytes = encodeUtf8(canonicalText(detail)).length;
  if (sizeBytes > MAX_AUDIT_DETAIL_BYTES)
    throw new RangeError(
      `audit: the detail of ${action} has ${sizeBytes} bytes, at most ${MAX_AUDIT_DETAIL_BYTES} are kept; put the digest of what is longer`,
    );
  const record = {
    index: head.size,
    at: new Date(at).toISOString(),
    actor,
    action,
    object,
    detail,
    previous: head.hash,
  };
  return { ...record, hash: auditHash(record) };
}

/** What is hashed is what a reader will find: JSON has no values but its own, and UTF-8 no lone surrogates. */
function asReadBack(record: NewAuditRecord): NewAuditRecord {
  const text = JSON.stringify(record, (_, value: unknown) =>
    typeof value === "string" ? value.toWellFormed() : value,
  );
  return JSON.parse(text) as NewAuditRecord;
}

/**
 * That a record follows a head.
 *
 * @returns the head after it
 * @throws `audit/record-edited`, `audit/chain-broken`
 */
export function followAudit(head: AuditHead, record: AuditRecord): AuditHead {
  const { index } = record;
  const broken = (why: string): Error =>
    failure("audit/chain-broken", `audit: record ${head.size} of the log ${why}`, {
      detail: { index: head.size },
    });
  if (index !== head.size)
    throw broken(`is missing: ${index} stands in its place; records were removed or put in another order`);
  if (record.hash !== auditHash(record))
    throw failure(
      "audit/record-edited",
      `audit: record ${index} says what its hash was not made of; it was edited`,
      {
        detail: { index },
      },
    );
  if (record.previous !== head.hash)
    throw broken(
      `does not follow the one before it: it names ${record.previous}, which has ${head.hash}; one of them was replaced`,
    );
  return auditHeadAfter(record);
}

/** Of the timestamp metadata: `custom` holds the head of the audit log as it was signed. */
const TimestampAudit = Type.Object({ auditLog: AuditHead });

/** The audit log's head in the `custom` field of verified timestamp metadata; undefined where there is none. */
export function auditHeadOf(custom: unknown): AuditHead | undefined {
  return Check(TimestampAudit, custom) ? custom.auditLog : undefined;
}
