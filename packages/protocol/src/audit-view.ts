import Type, { type Static } from "typebox";
import { AUDIT_ACTIONS, AuditHead, AuditObject, AuditRecord } from "./audit-log.ts";
import { pageOf, pageQuery } from "./page.ts";
import { DeviceIdSchema, nullable, readonlyArray, textEnum, UtcTimestampSchema } from "./schema.ts";

// The audit log over HTTP.

const RecordIndex = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Query of `GET /v1/audit`: records of which all that is given holds, newest first. A cursor is the index of the last record that was seen. */
export const AuditQuery = Type.Object({
  actor: Type.Optional(textEnum(["operator", "coordinator", "device"])),
  action: Type.Optional(textEnum(AUDIT_ACTIONS)),
  ...AuditObject.properties,
  device: Type.Optional(
    Type.Unsafe<Static<typeof DeviceIdSchema>>({
      ...DeviceIdSchema,
      description: "A device's id, or its name in the log",
    }),
  ),
  since: Type.Optional(UtcTimestampSchema),
  /** Not including it. */
  until: Type.Optional(UtcTimestampSchema),
  ...pageQuery(500, 100),
});
export type AuditQuery = Static<typeof AuditQuery>;

/** `GET /v1/audit` */
export const AuditList = pageOf({
  records: readonlyArray(AuditRecord),
  head: AuditHead,
  /** The head in the newest signed timestamp, which follows within some seconds; null before the first. */
  signed: nullable(Type.Object({ ...AuditHead.properties, timestampVersion: Type.Integer({ minimum: 1 }) })),
});
export type AuditList = Static<typeof AuditList>;

/** Query of `GET /v1/audit/records` */
export const AuditRecordsQuery = Type.Object({
  start: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 }),
  limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 1_000 }),
});

/** All records in order, from `start`. */
export const AuditRecords = Type.Object({ start: RecordIndex, records: readonlyArray(AuditRecord) });
export type AuditRecords = Static<typeof AuditRecords>;
