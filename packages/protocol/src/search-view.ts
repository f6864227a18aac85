import Type, { type Static } from "typebox";
import { ROUND_PHASES } from "./http.ts";
import { pageOf, pageQuery } from "./page.ts";
import {
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  RoundIdSchema,
  TaskNameSchema,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

// The search of versions, rounds and tasks over HTTP.

const Count = Type.Integer({ minimum: 0 });

export const SEARCH_KINDS = ["version", "round", "task"] as const;
export type SearchKind = (typeof SEARCH_KINDS)[number];

/** Query of `GET /v1/search` */
export const SearchQuery = Type.Object({
  query: Type.String({
    maxLength: 1_000,
    default: "",
    description: "Such as accuracy > 0.95 and strategy = fedAdam; empty: everything",
  }),
  kind: Type.Optional(
    textEnum(SEARCH_KINDS, { description: "Only these; left out: all that know the fields" }),
  ),
  ...pageQuery(200, 50),
});
export type SearchQuery = Static<typeof SearchQuery>;

/** What was found: a version, a round or a task, with what one compares them by. */
export const SearchResult = Type.Object({
  kind: textEnum(SEARCH_KINDS),
  model: ModelNameSchema,
  /** Of a version: that made it; null: it was published. */
  task: nullable(TaskNameSchema),
  /** Of a round: that it made. */
  version: nullable(ModelVersionSchema),
  roundId: nullable(RoundIdSchema),
  /** Of the round within its task. */
  round: nullable(Type.Integer({ minimum: 1 })),
  at: TimestampSchema,
  state: Type.Unsafe<
    (typeof ROUND_PHASES)[number] | "running" | "paused" | "finished" | "published" | "trained"
  >({
    type: "string",
    description: "A round's phase, a task's state, whether a version was published or trained",
  }),
  strategy: nullable(Type.String()),
  loss: nullable(Type.Number()),
  accuracy: nullable(Type.Number()),
  cohort: nullable(Count),
  numExamples: nullable(Count),
});
export type SearchResult = Static<typeof SearchResult>;

/** `GET /v1/search`, newest first. A page may hold nothing and not be the last: a request looks at a bounded number of rows. */
export const SearchView = pageOf({
  query: Type.String({ description: "As it was read" }),
  kinds: readonlyArray(textEnum(SEARCH_KINDS), { description: "That know all the fields of the query" }),
  results: readonlyArray(SearchResult),
});
export type SearchView = Static<typeof SearchView>;

export const FIELD_TYPES = ["number", "text", "date", "flag", "any"] as const;

/** `GET /v1/search/fields` */
export const SearchFieldList = Type.Object({
  fields: readonlyArray(
    Type.Object({
      name: Type.String(),
      type: textEnum(FIELD_TYPES),
      kinds: readonlyArray(textEnum(SEARCH_KINDS)),
      description: Type.String(),
      choices: nullable(readonlyArray(Type.String()), { description: "The only texts there are" }),
      open: Type.Boolean({ description: "The name goes on after a dot: parameter.learningRate" }),
    }),
  ),
});
export type SearchFieldList = Static<typeof SearchFieldList>;
