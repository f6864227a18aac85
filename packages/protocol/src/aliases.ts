import type { ModelVersion } from "@tributary/core";
import Type, { type Static } from "typebox";
import { ModelNameSchema, ModelVersionSchema, nullable, readonlyArray, TimestampSchema } from "./schema.ts";

// Names of single versions, which operators use in the place of numbers. Devices know channels alone.

/** What was last released on the channel stable. */
export const CHAMPION = "champion";
/** The newest version that waits for the verdict of a gate; not there while none does. */
export const CANDIDATE = "candidate";
/** The newest version; never given to another. */
export const NEWEST = "newest";
/** Most aliases of one model. */
export const MAX_ALIASES = 64;

/** Begins with a letter, so that none is taken for a number. */
export const ALIAS_PATTERN = "^[a-z][a-z0-9-]{0,31}$";
export const AliasSchema = Type.String({ pattern: ALIAS_PATTERN });

/** A version's number, or what a version is called. */
export const VersionOrAlias = Type.Unsafe<ModelVersion | string>(
  Type.Union([ModelVersionSchema, AliasSchema], {
    description: `A version's number, an alias, or "${NEWEST}"`,
  }),
);
export type VersionOrAlias = Static<typeof VersionOrAlias>;

/** The same in a path. */
export const VersionOrAliasParam = Type.String({
  pattern: "^([1-9][0-9]{0,9}|[a-z][a-z0-9-]{0,31})$",
  description: `A version's number, an alias, or "${NEWEST}"`,
});

export const AliasView = Type.Object({
  name: AliasSchema,
  version: ModelVersionSchema,
  movedAt: TimestampSchema,
});
export type AliasView = Static<typeof AliasView>;

/** `GET /v1/models/:model/aliases`, by name */
export const AliasList = Type.Object({ aliases: readonlyArray(AliasView) });
export type AliasList = Static<typeof AliasList>;

/** `PUT /v1/models/:model/aliases/:alias` */
export const AliasRequest = Type.Object({ version: VersionOrAlias }, { additionalProperties: false });
export type AliasRequest = Static<typeof AliasRequest>;

/** An operator moved or removed an alias. What champion and candidate do by themselves, the events of versions and tasks tell. */
export const AliasChange = Type.Object({
  model: ModelNameSchema,
  name: AliasSchema,
  version: nullable(ModelVersionSchema, { description: "Null: the alias was removed" }),
  at: TimestampSchema,
});
export type AliasChange = Static<typeof AliasChange>;
