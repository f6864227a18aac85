import Type, { type Static } from "typebox";
import { invalidDocument, parseJson } from "./json.ts";
import { documentSchema, withoutSchemaField } from "./document-schema.ts";
import { LIMITS } from "./limits.ts";
import { parseDocument } from "./parse.ts";
import { ModelNameSchema, nullable, readonlyArray, TaskNameSchema, textEnum } from "./schema.ts";

// What an operator wants to be told of: the document of an alert rule, the same in the CLI, the API and the dashboard.

const strict = { additionalProperties: false };
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

export const ALERT_SEVERITIES = ["info", "warning", "critical"] as const;
export type AlertSeverity = (typeof ALERT_SEVERITIES)[number];

/** What a rule looks at; the names are those of the rules for Prometheus, where there is one. */
export const ALERT_KINDS = [
  "rounds-fail",
  "accuracy-fell",
  "gate-failed",
  "rollout-failed",
  "drift",
  "version-refused",
  "no-devices",
  "devices-silent",
  "push-slow",
  "coordinator-busy",
  "storage-problem",
  "disk-almost-full",
  "metadata-expires",
  "metadata-not-renewed",
  "signatures-missing",
  "audit-broken",
] as const;
export type AlertKind = (typeof ALERT_KINDS)[number];

/** What a rule's threshold means, and between what it lies. */
export interface AlertThreshold {
  readonly default: number;
  readonly minimum: number;
  readonly maximum: number;
  /** "rounds", "share", "psi" */
  readonly unit: string;
}

/** What is known of each kind of rule. */
export const ALERT_KIND_FACTS: {
  readonly [Kind in AlertKind]: {
    readonly watches: string;
    /** Null: it holds or it does not. */
    readonly threshold: AlertThreshold | null;
    /** Which of a rule's fields choose what is looked at. */
    readonly chosenBy: "models" | "tasks" | null;
  };
} = {
  "rounds-fail": {
    watches: "So many rounds of a running task were abandoned in a row",
    threshold: { default: 3, minimum: 1, maximum: 100, unit: "rounds" },
    chosenBy: "tasks",
  },
  "accuracy-fell": {
    watches:
      "The newest version of a model is less accurate than its champion by more than this, and so is the upper end of its interval",
    threshold: { default: 0.02, minimum: 0, maximum: 1, unit: "share" },
    chosenBy: "models",
  },
  "gate-failed": {
    watches: "So many versions of a task failed its gate in a row",
    threshold: { default: 1, minimum: 1, maximum: 10_000, unit: "versions" },
    chosenBy: "tasks",
  },
  "rollout-failed": {
    watches:
      "The last rollout of a channel was rolled back by a gate or paused at a deadline, so many hours ago at most",
    threshold: { default: 24, minimum: 1, maximum: 720, unit: "hours" },
    chosenBy: "models",
  },
  drift: {
    watches:
      "In the last measurement of a telemetry task a distribution lies so far from its reference (PSI), and further than chance",
    threshold: { default: 0.2, minimum: 0, maximum: 100, unit: "psi" },
    chosenBy: "tasks",
  },
  "version-refused": {
    watches: "So many devices did not let a version take the place of the one that runs",
    threshold: { default: 3, minimum: 1, maximum: 1_000_000, unit: "devices" },
    chosenBy: "models",
  },
  "no-devices": {
    watches: "A task is running and no device is connected",
    threshold: null,
    chosenBy: null,
  },
  "devices-silent": {
    watches:
      "In the last full hour this share, or less, of the devices came that usually come at that time of day",
    threshold: { default: 0.5, minimum: 0, maximum: 1, unit: "share" },
    chosenBy: null,
  },
  "push-slow": {
    watches: "One device in a hundred takes longer than this from hearing of a version to running it",
    threshold: { default: 60, minimum: 1, maximum: 86_400, unit: "seconds" },
    chosenBy: null,
  },
  "coordinator-busy": {
    watches: "The coordinator's main thread is busy for at least this share of the time",
    threshold: { default: 0.95, minimum: 0.1, maximum: 1, unit: "share" },
    chosenBy: null,
  },
  "storage-problem": {
    watches: "Nothing can be written to the data directory",
    threshold: null,
    chosenBy: null,
  },
  "disk-almost-full": {
    watches: "Less than this share of the data directory's file system is free",
    threshold: { default: 0.05, minimum: 0, maximum: 1, unit: "share" },
    chosenBy: null,
  },
  "metadata-expires": {
    watches: "Signed metadata that operators sign (root, targets, a model's) expires within so many days",
    threshold: { default: 14, minimum: 1, maximum: 365, unit: "days" },
    chosenBy: null,
  },
  "metadata-not-renewed": {
    watches:
      "Signed metadata that the coordinator renews by itself (timestamp, snapshot) expires within so many minutes",
    threshold: { default: 60, minimum: 1, maximum: 10_080, unit: "minutes" },
    chosenBy: null,
  },
  "signatures-missing": {
    watches: "A release, or a change of keys, waits for signatures of keys that lie elsewhere",
    threshold: null,
    chosenBy: null,
  },
  "audit-broken": {
    watches: "A record of the audit log does not follow from the one before it, or was edited",
    threshold: null,
    chosenBy: null,
  },
};

export const ALERT_NAME_PATTERN = "^[a-z0-9][a-z0-9-]{0,62}$";
/** Of a rule. */
export const AlertRuleNameSchema = Type.String({ pattern: ALERT_NAME_PATTERN });

export const AlertRule = Type.Object(
  {
    formatVersion: Type.Literal(1, { default: 1, description: "Of this document's form" }),
    name: AlertRuleNameSchema,
    kind: textEnum(ALERT_KINDS, { description: "What it looks at" }),
    enabled: Type.Boolean({ default: true, description: "false: it looks at nothing, and its alerts end" }),
    severity: textEnum(ALERT_SEVERITIES, { default: "warning" }),
    threshold: nullable(Type.Number(), {
      default: null,
      description: "What it means depends on the kind; null: the kind's own",
    }),
    forMs: Type.Integer({
      minimum: 0,
      maximum: 7 * DAY_MS,
      default: 0,
      description: "So long it has to hold before the alert fires: it is pending meanwhile",
    }),
    repeatMs: Type.Integer({
      minimum: MINUTE_MS,
      maximum: 30 * DAY_MS,
      default: DAY_MS / 6,
      description: "An alert that goes on firing, and that nobody acknowledged, is told again so often",
    }),
    models: readonlyArray(ModelNameSchema, {
      maxItems: 64,
      default: [],
      description: "Only of these models; none: of all",
    }),
    tasks: readonlyArray(TaskNameSchema, {
      maxItems: 64,
      default: [],
      description: "Only of these tasks; none: of all",
    }),
    advice: Type.String({
      maxLength: 512,
      default: "",
      description: "What whoever is woken should do; left empty: what the kind advises",
    }),
  },
  strict,
);
export type AlertRule = Static<typeof AlertRule>;

/** Names the form of a rule's document; another `formatVersion` gets another. */
export const ALERT_RULE_SCHEMA_ID = "urn:tributary:schema:alert-rule:1";
/** The JSON Schema (draft 2020-12) of a rule as an operator writes it. */
export const ALERT_RULE_SCHEMA = documentSchema(ALERT_RULE_SCHEMA_ID, "Tributary alert rule", AlertRule);

/** A rule's own threshold, or its kind's; null where the kind has none. */
export function alertThreshold({ kind, threshold }: Pick<AlertRule, "kind" | "threshold">): number | null {
  return threshold ?? ALERT_KIND_FACTS[kind].threshold?.default ?? null;
}

/**
 * A rule as an operator wrote it, with the defaults filled in.
 *
 * @param value bytes of JSON, or the value already read
 * @throws protocol/invalid-document with the path of the first fault in `detail`.
 */
export function parseAlertRule(value: unknown): AlertRule {
  const json = value instanceof Uint8Array ? parseJson("alert rule", value, LIMITS.maxTaskSpecBytes) : value;
  const rule = parseDocument("alert rule", AlertRule, withoutSchemaField(json), { defaults: true });
  const { threshold, chosenBy } = ALERT_KIND_FACTS[rule.kind];
  if (rule.threshold !== null && threshold === null)
    throw invalidDocument("alert rule", "/threshold", `"${rule.kind}" has none`);
  if (
    rule.threshold !== null &&
    threshold !== null &&
    (rule.threshold < threshold.minimum || rule.threshold > threshold.maximum)
  )
    throw invalidDocument(
      "alert rule",
      "/threshold",
      `of "${rule.kind}" is ${threshold.minimum} to ${threshold.maximum} (${threshold.unit}), got ${rule.threshold}`,
    );
  for (const field of ["models", "tasks"] as const)
    if (rule[field].length > 0 && chosenBy !== field)
      throw invalidDocument(
        "alert rule",
        `/${field}`,
        chosenBy === null ? `"${rule.kind}" is of none` : `"${rule.kind}" is chosen by /${chosenBy}`,
      );
  return rule;
}

const builtIn = (rule: Partial<AlertRule> & Pick<AlertRule, "name" | "kind">): AlertRule =>
  Object.freeze(parseAlertRule(rule));

/** What is looked at where an operator says nothing else. */
export const BUILT_IN_ALERT_RULES: readonly AlertRule[] = Object.freeze([
  builtIn({ name: "storage-problem", kind: "storage-problem", severity: "critical", forMs: MINUTE_MS }),
  builtIn({ name: "audit-broken", kind: "audit-broken", severity: "critical" }),
  builtIn({ name: "metadata-not-renewed", kind: "metadata-not-renewed", severity: "critical" }),
  builtIn({ name: "metadata-expires", kind: "metadata-expires", repeatMs: DAY_MS }),
  builtIn({
    name: "signatures-missing",
    kind: "signatures-missing",
    forMs: 15 * MINUTE_MS,
    repeatMs: DAY_MS,
  }),
  builtIn({ name: "disk-almost-full", kind: "disk-almost-full", forMs: 10 * MINUTE_MS }),
  builtIn({ name: "rounds-fail", kind: "rounds-fail" }),
  builtIn({ name: "accuracy-fell", kind: "accuracy-fell", forMs: 5 * MINUTE_MS }),
  builtIn({ name: "gate-failed", kind: "gate-failed", severity: "info", repeatMs: DAY_MS }),
  builtIn({ name: "rollout-failed", kind: "rollout-failed", repeatMs: DAY_MS }),
  builtIn({ name: "drift", kind: "drift", repeatMs: DAY_MS }),
  builtIn({ name: "version-refused", kind: "version-refused" }),
  builtIn({ name: "no-devices", kind: "no-devices", forMs: 15 * MINUTE_MS }),
  builtIn({ name: "devices-silent", kind: "devices-silent" }),
  builtIn({ name: "push-slow", kind: "push-slow", forMs: 15 * MINUTE_MS }),
  builtIn({ name: "coordinator-busy", kind: "coordinator-busy", forMs: 5 * MINUTE_MS }),
]);
