import Type, { type Static } from "typebox";
import { ALERT_KINDS, ALERT_SEVERITIES, AlertRule, AlertRuleNameSchema } from "./alert-rule.ts";
import { pageOf, pageQuery } from "./page.ts";
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

const strict = { additionalProperties: false };
const Id = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });

/** pending: it holds, though not for long enough; resolved: it does not hold any more. */
export const ALERT_STATES = ["pending", "firing", "resolved"] as const;
export type AlertState = (typeof ALERT_STATES)[number];

/** What an alert is about, as far as its rule tells one from another. */
export const AlertSubject = Type.Object(
  {
    model: Type.Optional(ModelNameSchema),
    version: Type.Optional(ModelVersionSchema),
    task: Type.Optional(TaskNameSchema),
    channel: Type.Optional(ChannelSchema),
    rollout: Type.Optional(Type.String({ maxLength: 64 })),
    metric: Type.Optional(Type.String({ maxLength: 128 })),
    role: Type.Optional(Type.String({ maxLength: 128 })),
    code: Type.Optional(Type.String({ maxLength: 64 })),
  },
  strict,
);
export type AlertSubject = Static<typeof AlertSubject>;

/** Somebody has seen it: it is not told again. */
export const AlertAcknowledgement = Type.Object({
  by: Type.String({ description: "Who has seen it, as the audit log names them" }),
  comment: Type.String({ maxLength: 512 }),
  at: TimestampSchema,
});
export type AlertAcknowledgement = Static<typeof AlertAcknowledgement>;

export const AlertView = Type.Object({
  id: Id,
  rule: AlertRuleNameSchema,
  kind: textEnum(ALERT_KINDS),
  severity: textEnum(ALERT_SEVERITIES),
  state: textEnum(ALERT_STATES),
  subject: AlertSubject,
  value: nullable(Type.Number(), { description: "What was found, in the unit of the threshold" }),
  threshold: nullable(Type.Number()),
  summary: Type.String({ description: "One sentence: what is wrong" }),
  advice: Type.String({ description: "One sentence: what to do" }),
  pendingSince: TimestampSchema,
  firingSince: nullable(TimestampSchema),
  resolvedAt: nullable(TimestampSchema),
  acknowledgement: nullable(AlertAcknowledgement),
  silencedUntil: nullable(TimestampSchema, { description: "Null: no silence holds for it now" }),
  toldAt: nullable(TimestampSchema, { description: "When its last notification was sent off" }),
});
export type AlertView = Static<typeof AlertView>;

/** Query of `GET /v1/alerts` */
export const AlertListQuery = Type.Object({
  state: Type.Optional(textEnum(ALERT_STATES)),
  rule: Type.Optional(AlertRuleNameSchema),
  model: Type.Optional(ModelNameSchema),
  task: Type.Optional(TaskNameSchema),
  ...pageQuery(500, 100),
});
export type AlertListQuery = Static<typeof AlertListQuery>;

/** How many alerts there are that have not resolved. */
export const AlertCounts = Type.Object({
  firing: Type.Integer({ minimum: 0 }),
  critical: Type.Integer({ minimum: 0, description: "Of those that fire" }),
  pending: Type.Integer({ minimum: 0 }),
  unacknowledged: Type.Integer({
    minimum: 0,
    description: "Of those that fire, neither acknowledged nor silenced",
  }),
});
export type AlertCounts = Static<typeof AlertCounts>;

/** `GET /v1/alerts`: what fires first, then what is pending, then what has resolved, the newest first */
export const AlertList = pageOf({ alerts: readonlyArray(AlertView), counts: AlertCounts });
export type AlertList = Static<typeof AlertList>;

/** `POST /v1/alerts/:alert/acknowledgement` */
export const AlertAcknowledge = Type.Object(
  {
    comment: Type.String({ maxLength: 512, default: "" }),
  },
  strict,
);
export type AlertAcknowledge = Static<typeof AlertAcknowledge>;

/** Which alerts a silence holds for: those of which all that is given holds. */
export const SilenceMatcher = Type.Object(
  {
    rule: Type.Optional(AlertRuleNameSchema),
    kind: Type.Optional(textEnum(ALERT_KINDS)),
    model: Type.Optional(ModelNameSchema),
    task: Type.Optional(TaskNameSchema),
  },
  { ...strict, minProperties: 1 },
);
export type SilenceMatcher = Static<typeof SilenceMatcher>;

const MAX_SILENCE_MS = 90 * 86_400_000;

/** `POST /v1/alert-silences` */
export const NewSilence = Type.Object(
  {
    matcher: SilenceMatcher,
    durationMs: Type.Integer({ minimum: 60_000, maximum: MAX_SILENCE_MS }),
    startsAt: Type.Optional(
      Type.String({ format: "date-time", maxLength: 40, description: "Left out: now" }),
    ),
    comment: Type.String({ minLength: 1, maxLength: 512, description: "Why" }),
  },
  strict,
);
export type NewSilence = Static<typeof NewSilence>;

/** For so long alerts that match are told to nobody; they are seen all the same. */
export const SilenceView = Type.Object({
  id: Id,
  matcher: SilenceMatcher,
  state: textEnum(["ahead", "active", "ended"]),
  startsAt: TimestampSchema,
  endsAt: TimestampSchema,
  by: Type.String({ description: "Whose it is, as the audit log names them" }),
  comment: Type.String(),
});
export type SilenceView = Static<typeof SilenceView>;

/** `GET /v1/alert-silences`, those that have not ended first */
export const SilenceList = Type.Object({ silences: readonlyArray(SilenceView) });
export type SilenceList = Static<typeof SilenceList>;

export const AlertRuleView = Type.Object({
  ...AlertRule.properties,
  origin: textEnum(["built-in", "changed", "own"], {
    description: "changed: one that is built in, as an operator has it",
  }),
  /** With the kind's own filled in. */
  appliedThreshold: nullable(Type.Number()),
  unit: nullable(Type.String(), { description: "Of the threshold" }),
  watches: Type.String({ description: "What its kind looks at" }),
  /** Of alerts that have not resolved, the worst. */
  state: textEnum(["disabled", "quiet", "pending", "firing"]),
  checkedAt: nullable(TimestampSchema, { description: "When it was last looked at" }),
  problem: nullable(Type.String(), { description: "Why it could not be looked at; null: it could" }),
});
export type AlertRuleView = Static<typeof AlertRuleView>;

/** `GET /v1/alert-rules`, by name */
export const AlertRuleList = Type.Object({ rules: readonlyArray(AlertRuleView) });
export type AlertRuleList = Static<typeof AlertRuleList>;
