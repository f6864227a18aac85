/** Which devices run which version of a model, beside what its channels point to. Devices decide by signed documents. */
import Type, { type Static } from "typebox";
import { parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { parseDocument } from "./parse.ts";
import { requireSoundArms, ROLLOUT_SHARE_UNITS } from "./rollout-arm.ts";
import {
  ChannelSchema,
  DigestSchema,
  ModelNameSchema,
  ModelVersionSchema,
  readonlyArray,
  TargetPathSchema,
  UtcTimestampSchema,
} from "./schema.ts";

const strict = { additionalProperties: false };
const tag = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$" });

export const RolloutIdSchema = Type.String({
  pattern: "^[a-z0-9][a-z0-9-]{0,62}$",
  description: "Name of a rollout, never used twice within a model",
});

/** One of the versions that are tried against the channel's. */
export const RolloutArm = Type.Object(
  {
    name: Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,31}$" }),
    version: ModelVersionSchema,
    manifest: Type.Object({ target: TargetPathSchema }, strict),
  },
  strict,
);
export type RolloutArm = Static<typeof RolloutArm>;

/** A share of the devices that have one of the tags: of all, where there are none. */
export const RolloutShare = Type.Object(
  {
    tags: readonlyArray(tag, { maxItems: 64 }),
    share: Type.Integer({ minimum: 0, maximum: ROLLOUT_SHARE_UNITS }),
  },
  strict,
);
export type RolloutShare = Static<typeof RolloutShare>;

/** `models/<model>/<channel>.rollout.json`: there while a rollout goes on, under way or paused. */
export const Rollout = Type.Object(
  {
    formatVersion: Type.Literal(1),
    model: ModelNameSchema,
    channel: ChannelSchema,
    rollout: RolloutIdSchema,
    /** What the channel points to, and the others run. */
    control: ModelVersionSchema,
    arms: readonlyArray(RolloutArm, { minItems: 1, maxItems: 8 }),
    /** The largest share that a device comes under is its own. */
    shares: readonlyArray(RolloutShare, { maxItems: 64 }),
    /** Devices that are in it whatever the share, as `rolloutDevice` names them. */
    devices: readonlyArray(DigestSchema, { maxItems: 10_000 }),
  },
  strict,
);
export type Rollout = Static<typeof Rollout>;

/** `models/<model>/versions.withdrawn.json`: versions that no device runs any more. */
export const WithdrawnVersions = Type.Object(
  {
    formatVersion: Type.Literal(1),
    model: ModelNameSchema,
    versions: readonlyArray(
      Type.Object(
        {
          version: ModelVersionSchema,
          reason: Type.String({ minLength: 1, maxLength: 256 }),
          at: UtcTimestampSchema,
        },
        strict,
      ),
      { maxItems: 10_000 },
    ),
  },
  strict,
);
export type WithdrawnVersions = Static<typeof WithdrawnVersions>;

/** @throws protocol/invalid-document with the path of the first fault in `detail` */
export function parseRollout(bytes: Uint8Array): Rollout {
  const json = parseJson("rollout", bytes, LIMITS.maxPlanBytes);
  const rollout = parseDocument("rollout", Rollout, json);
  requireSoundArms(rollout);
  return rollout;
}

/** @throws protocol/invalid-document with the path of the first fault in `detail` */
export function parseWithdrawnVersions(bytes: Uint8Array): WithdrawnVersions {
  return parseDocument(
    "withdrawn versions",
    WithdrawnVersions,
    parseJson("withdrawn versions", bytes, LIMITS.maxPlanBytes),
  );
}
