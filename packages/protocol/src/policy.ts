import Type, { type Static } from "typebox";
import { AliasSchema } from "./aliases.ts";
import { ALERT_NAME_PATTERN } from "./alert-rule.ts";
import { documentSchema, withoutSchemaField } from "./document-schema.ts";
import { invalidDocument, parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { pageOf, pageQuery } from "./page.ts";
import { parseDocument } from "./parse.ts";
import { FIXED_ALIASES } from "./fixed-aliases.ts";
import { parseRolloutSpec } from "./rollout-spec.ts";
import {
  ChannelSchema,
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  TaskNameSchema,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

// What the coordinator decides without an operator: the document of a policy, the same in the CLI, the API and the dashboard.

const strict = { additionalProperties: false };
const DAY_MS = 86_400_000;

export const PolicyNameSchema = Type.String({ pattern: ALERT_NAME_PATTERN });

/** Continuous learning: data that drifted starts a task that waits for it. */
const TrainOnDrift = Type.Object(
  {
    kind: Type.Literal("train-on-drift"),
    telemetryTask: TaskNameSchema,
    task: Type.Unsafe<Static<typeof TaskNameSchema>>({
      ...TaskNameSchema,
      description: "A task that is prepared: paused, or done with its rounds",
    }),
    psi: Type.Number({
      exclusiveMinimum: 0,
      maximum: 100,
      default: 0.2,
      description: "So far a distribution lies from its reference, and further than chance",
    }),
    measurements: Type.Integer({
      minimum: 1,
      maximum: 20,
      default: 2,
      description: "In so many measurements in a row",
    }),
    rounds: Type.Integer({ minimum: 1, maximum: 100_000, default: 50, description: "That it is given" }),
  },
  strict,
);

/** Champion and challenger: a version that its gate found good takes the place of the one that is released. */
const Promote = Type.Object(
  {
    kind: Type.Literal("promote"),
    model: ModelNameSchema,
    by: textEnum(["rollout", "release", "alias"], {
      default: "rollout",
      description:
        "rollout: in steps, with gates of their own; release: the channel at once; alias: a name alone",
    }),
    channel: Type.Unsafe<string>({
      ...ChannelSchema,
      default: "stable",
      description: "Whose version is the champion",
    }),
    alias: nullable(AliasSchema, { default: null, description: "by alias: the name that moves" }),
    rollout: Type.Unsafe<Readonly<Record<string, unknown>>>(
      Type.Object(
        {},
        {
          additionalProperties: true,
          default: {},
          description: "by rollout: its document without arms and channel; what is left out is as by default",
        },
      ),
    ),
  },
  strict,
);

export const PolicyAction = Type.Union([TrainOnDrift, Promote]);
export type PolicyAction = Static<typeof PolicyAction>;
export type TrainOnDrift = Static<typeof TrainOnDrift>;
export type Promote = Static<typeof Promote>;

export const Policy = Type.Object(
  {
    formatVersion: Type.Literal(1, { default: 1, description: "Of this document's form" }),
    name: PolicyNameSchema,
    enabled: Type.Boolean({ default: true, description: "false: it decides nothing" }),
    dryRun: Type.Boolean({
      default: false,
      description: "It says what it would have done, and does nothing",
    }),
    cooldownMs: Type.Integer({
      minimum: 0,
      maximum: 365 * DAY_MS,
      default: DAY_MS,
      description: "At least so long from one decision to the next",
    }),
    budget: Type.Object(
      {
        decisions: nullable(Type.Integer({ minimum: 1, maximum: 10_000 }), {
          default: 7,
          description: "At most so many in the period; null: no bound",
        }),
        rounds: nullable(Type.Integer({ minimum: 1, maximum: 1_000_000 }), {
          default: null,
          description: "train-on-drift: at most so many rounds in the period; null: no bound",
        }),
        periodMs: Type.Integer({ minimum: 3_600_000, maximum: 365 * DAY_MS, default: 7 * DAY_MS }),
      },
      { ...strict, default: {} },
    ),
    does: PolicyAction,
  },
  strict,
);
export type Policy = Static<typeof Policy>;

export const POLICY_SCHEMA_ID = "urn:tributary:schema:policy:1";
export const POLICY_SCHEMA = documentSchema(POLICY_SCHEMA_ID, "Tributary policy", Policy);

/**
 * A policy as an operator wrote it, with the defaults filled in.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`.
 */
export function parsePolicy(value: unknown): Policy {
  const json = value instanceof Uint8Array ? parseJson("policy", value, LIMITS.maxTaskSpecBytes) : value;
  const policy = parseDocument("policy", Policy, withoutSchemaField(json), { defaults: true });
  const { does } = policy;
  if (does.kind !== "promote") return policy;
  if (does.by === "alias" && does.alias === null)
    throw invalidDocument("policy", "/does/alias", 'is needed where it promotes by "alias"');
  if (does.by === "alias" && FIXED_ALIASES.has(does.alias!))
    throw invalidDocument("policy", "/does/alias", "is moved by the coordinator itself; choose another");
  if (does.by === "rollout") promotionRollout(does, 1);
  return policy;
}

/**
 * The rollout that a policy starts.
 *
 * @throws protocol/invalid-document of a rollout
 */
export function promotionRollout(
  { rollout, channel }: Pick<Promote, "rollout" | "channel">,
  version: number,
): Readonly<Record<string, unknown>> {
  const document = { ...rollout, channel, arms: [{ name: "challenger", version }] };
  parseRolloutSpec(document);
  return document;
}

export const POLICY_OUTCOMES = ["done", "dry-run", "failed"] as const;
export type PolicyOutcome = (typeof POLICY_OUTCOMES)[number];

const Evidence = Type.Record(
  Type.String({ maxLength: 64 }),
  Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
);

export const PolicyDecisionView = Type.Object({
  policy: Type.String({ description: "Its name; task:NAME is the release policy of a task" }),
  outcome: textEnum(POLICY_OUTCOMES, { description: "failed: it could not be done, and is tried again" }),
  at: TimestampSchema,
  /** One sentence: what was decided, and on what. */
  reason: Type.String(),
  model: nullable(ModelNameSchema),
  version: nullable(ModelVersionSchema),
  task: nullable(TaskNameSchema),
  rounds: Type.Integer({ minimum: 0 }),
  evidence: Evidence,
});
export type PolicyDecisionView = Static<typeof PolicyDecisionView>;

export const PolicyView = Type.Object({
  ...Policy.properties,
  state: textEnum(["disabled", "watching", "cooling-down", "budget-spent"]),
  /** cooling-down, budget-spent: until then at least. */
  waitsUntil: nullable(TimestampSchema),
  decisionsInPeriod: Type.Integer({ minimum: 0 }),
  roundsInPeriod: Type.Integer({ minimum: 0 }),
  lastDecision: nullable(PolicyDecisionView),
});
export type PolicyView = Static<typeof PolicyView>;

/** `GET /v1/policies`, by name */
export const PolicyList = Type.Object({ policies: readonlyArray(PolicyView) });
export type PolicyList = Static<typeof PolicyList>;

/** Query of `GET /v1/policy-decisions` */
export const PolicyDecisionQuery = Type.Object({
  policy: Type.Optional(Type.String({ maxLength: 80 })),
  ...pageQuery(500, 50),
});
export type PolicyDecisionQuery = Static<typeof PolicyDecisionQuery>;

/** `GET /v1/policy-decisions`, newest first */
export const PolicyDecisionList = pageOf({ decisions: readonlyArray(PolicyDecisionView) });
export type PolicyDecisionList = Static<typeof PolicyDecisionList>;
