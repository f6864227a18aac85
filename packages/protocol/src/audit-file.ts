import Type, { type Static } from "typebox";
import { UtcTimestampSchema } from "./schema.ts";

/** The first line of an exported audit log; a line follows for each record, in canonical JSON. */
export const AuditFileHeader = Type.Object({
  format: Type.Literal("tributary-audit-log"),
  formatVersion: Type.Literal(1),
  exportedAt: UtcTimestampSchema,
  /** Where it was exported from. */
  coordinator: Type.String({ maxLength: 2_048 }),
  /** The release's metadata, by the names of the files: what shows that the head was signed. */
  metadata: Type.Record(Type.String(), Type.String()),
});
export type AuditFileHeader = Static<typeof AuditFileHeader>;
