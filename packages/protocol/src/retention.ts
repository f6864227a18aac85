import Type, { type Static } from "typebox";
import { ModelVersionSchema, readonlyArray, textEnum } from "./schema.ts";

/** How long versions of a model can be downloaded: `PUT /v1/models/:model/retention`. */
export const RetentionRule = Type.Object(
  {
    newest: Type.Integer({
      minimum: 1,
      maximum: 1_000,
      default: 20,
      description: "So many of the newest versions stay; each costs devices some hundred bytes of metadata",
    }),
    releasedWithinDays: Type.Integer({
      minimum: 0,
      maximum: 3_650,
      default: 0,
      description: "What a channel pointed to within so many days stays",
    }),
    deleteFiles: Type.Boolean({
      default: false,
      description:
        "The files of versions that left the release are deleted at the coordinator's next start; false: they stay in its folder, for exports",
    }),
  },
  { additionalProperties: false },
);
export type RetentionRule = Static<typeof RetentionRule>;

export const DEFAULT_RETENTION: RetentionRule = Object.freeze({
  newest: 20,
  releasedWithinDays: 0,
  deleteFiles: false,
});

/** Why a version stays. */
export const RETENTION_REASONS = [
  "newest",
  "training",
  "recently-released",
  "channel",
  "rollout",
  "alias",
  "gate",
  "task",
  "round",
  "delta-base",
  "signatures",
] as const;
export type RetentionReason = (typeof RETENTION_REASONS)[number];

/** `GET /v1/models/:model/retention` */
export const RetentionView = Type.Object({
  rule: RetentionRule,
  offered: readonlyArray(
    Type.Object({ version: ModelVersionSchema, reasons: readonlyArray(textEnum(RETENTION_REASONS)) }),
    {
      description:
        "Versions that can be downloaded, newest first, and why they stay; those without a reason leave with the next version",
    },
  ),
});
export type RetentionView = Static<typeof RetentionView>;

/** `GET /v1/models/:model/retention/preview`: what a rule would do, which its query gives. */
export const RetentionPreview = Type.Object({
  leaving: readonlyArray(ModelVersionSchema, {
    description: "Versions that would leave the release at once, newest first",
  }),
  filesDeletedOf: readonlyArray(ModelVersionSchema, {
    description:
      "Versions whose files would be deleted at the coordinator's next start and are not by the rule of now, newest first: some may have left the release before",
  }),
});
export type RetentionPreview = Static<typeof RetentionPreview>;
