import Type, { type Static } from "typebox";
import { TaskSpec } from "./documents.ts";
import { LIMITS } from "./limits.ts";
import { parseJson } from "./json.ts";
import { parseDocument } from "./parse.ts";
import {
  DigestSchema,
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  textEnum,
} from "./schema.ts";

/** A file by its SHA-256. */
export const FileRef = Type.Object({ digest: DigestSchema, sizeBytes: Type.Integer({ minimum: 0 }) });
export type FileRef = Static<typeof FileRef>;

const OptimizerFiles = Type.Object(
  { state: FileRef, residual: nullable(FileRef) },
  { description: "What the server optimizer remembers, and what rounding left out of its steps" },
);

export const StrategyDocument = Type.Object({
  name: Type.String({ maxLength: 64 }),
  parameters: Type.Unsafe<Readonly<Record<string, number>>>(Type.Record(Type.String(), Type.Number())),
});

/** How a version came from its parent: everything that the step is taken with, by digest, and what came of it. */
export const VersionStep = Type.Object({
  formatVersion: Type.Literal(1),
  model: ModelNameSchema,
  version: ModelVersionSchema,
  task: TaskSpec,
  strategy: StrategyDocument,
  plan: FileRef,
  /** Which step of the task, from 1. */
  trainingRound: Type.Integer({ minimum: 1 }),
  parent: Type.Object({ version: ModelVersionSchema, weights: FileRef, int8: FileRef }),
  /** As the model was exported, without weights; null where no step needs it. */
  graph: nullable(FileRef),
  /** Null: it was not kept. */
  aggregate: nullable(FileRef),
  /** Whether its members' updates were masked: nobody saw one. */
  masked: Type.Boolean(),
  /** Null: the server optimizer began. */
  before: nullable(OptimizerFiles),
  /** Null: the server optimizer remembers nothing. */
  after: nullable(OptimizerFiles),
  weights: FileRef,
  int8: FileRef,
});
export type VersionStep = Static<typeof VersionStep>;

/** @throws protocol/invalid-document with the path of the first fault in `detail`. */
export function parseVersionStep(bytes: Uint8Array): VersionStep {
  const json = parseJson("version step", bytes, LIMITS.maxManifestBytes);
  return parseDocument("version step", VersionStep, json);
}

export const REPRODUCED_FILES = ["weights", "int8", "optimizer", "residual"] as const;
export type ReproducedFile = (typeof REPRODUCED_FILES)[number];

/** What a step is taken with. */
export const STEP_SOURCES = [
  "round",
  "strategy",
  "plan",
  "graph",
  "parent-weights",
  "parent-int8",
  "aggregate",
  "optimizer",
  "residual",
] as const;

export const MISSING_REASONS = ["published", "not-kept", "gone", "damaged", "unknown"] as const;

/** `POST /v1/models/:model/versions/:version/reproduction` */
export const ReproductionView = Type.Object({
  model: ModelNameSchema,
  version: ModelVersionSchema,
  result: textEnum(["same", "different", "missing"], {
    description: "same: bit for bit; different: it came to something else; missing: it could not be tried",
  }),
  files: readonlyArray(
    Type.Object({
      name: textEnum(REPRODUCED_FILES),
      /** Null: there is none. */
      expected: nullable(DigestSchema),
      got: nullable(DigestSchema),
    }),
    { description: "What the step makes: as the version has it, and as it came out now" },
  ),
  missing: readonlyArray(
    Type.Object({
      what: textEnum(STEP_SOURCES),
      why: textEnum(MISSING_REASONS, {
        description:
          "published: an operator did, there was no round; not-kept: it was not to be kept, or left with older versions; gone: it is not stored any more; damaged: its bytes are others; unknown: nobody here knows it",
      }),
    }),
  ),
  /** The sum that the step begins with; null: it is not kept. */
  aggregate: nullable(DigestSchema),
  masked: Type.Boolean({
    description:
      "Whether the members' updates were masked: then nobody saw one, and the sum cannot be made again. Where they were not, they are not kept either",
  }),
});
export type ReproductionView = Static<typeof ReproductionView>;
export type MissingSource = ReproductionView["missing"][number];
