import Type, { type Static } from "typebox";
import { ALERT_NAME_PATTERN, ALERT_SEVERITIES, AlertRuleNameSchema } from "./alert-rule.ts";
import { AlertView } from "./alert-view.ts";
import { documentSchema, withoutSchemaField } from "./document-schema.ts";
import { invalidDocument, parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { pageOf, pageQuery } from "./page.ts";
import { parseDocument } from "./parse.ts";
import { nullable, readonlyArray, textEnum, TimestampSchema } from "./schema.ts";

// Where alerts are told: the document of a notification channel, the same in the CLI, the API and the dashboard.

const strict = { additionalProperties: false };

export const NotificationChannelNameSchema = Type.String({ pattern: ALERT_NAME_PATTERN });

/** What the environment calls what a channel may read of it. */
export const NOTIFICATION_SECRET_ENV = /^TRIBUTARY_NOTIFY_[A-Z0-9_]{1,64}$/;

const FromEnvironment = Type.Object(
  { env: Type.String({ pattern: NOTIFICATION_SECRET_ENV.source }) },
  { ...strict, description: "A variable of the coordinator's environment" },
);
const FromFile = Type.Object(
  { file: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$" }) },
  { ...strict, description: "A file in the folder that the coordinator was given for such secrets" },
);

/** A secret as an operator gives it: where it is read each time, or the text itself, which no answer, log or record ever holds. */
export const SecretInput = Type.Union([
  Type.Object({ value: Type.String({ minLength: 1, maxLength: 4_096 }) }, strict),
  FromEnvironment,
  FromFile,
  Type.Object(
    { stored: Type.Literal(true) },
    { ...strict, description: "As it is stored: what an answer says in its place" },
  ),
]);
export type SecretInput = Static<typeof SecretInput>;

/** A secret as an answer tells of it. */
export const SecretView = Type.Union([
  FromEnvironment,
  FromFile,
  Type.Object({ stored: Type.Literal(true) }, strict),
]);
export type SecretView = Static<typeof SecretView>;

const EMAIL = '^[^\\s<>,;:"@]{1,64}@[^\\s<>,;:"@]{1,190}$';

const EMAIL_FIELDS = {
  kind: Type.Literal("email"),
  host: Type.String({ pattern: "^[A-Za-z0-9.:-]{1,253}$", description: "Of the SMTP server" }),
  port: Type.Integer({ minimum: 1, maximum: 65_535, default: 587 }),
  security: textEnum(["starttls", "tls", "none"], {
    default: "starttls",
    description:
      "starttls: asked for, and nothing is sent without it; tls: from the first byte (port 465); none: in the clear",
  }),
  user: nullable(Type.String({ minLength: 1, maxLength: 256 }), { default: null }),
  from: Type.String({ pattern: EMAIL }),
  to: readonlyArray(Type.String({ pattern: EMAIL }), { minItems: 1, maxItems: 20 }),
};

const targetOf = <Secret extends typeof SecretInput | typeof SecretView>(secret: Secret) =>
  Type.Union([
    Type.Object(
      {
        kind: Type.Literal("webhook"),
        url: secret,
        /** What each body is signed with; null: it is not. */
        secret: nullable(secret, { default: null }),
      },
      strict,
    ),
    Type.Object({ kind: Type.Literal("slack"), url: secret }, strict),
    Type.Object({ ...EMAIL_FIELDS, password: nullable(secret, { default: null }) }, strict),
  ]);

export const NotificationTarget = targetOf(SecretInput);
export type NotificationTarget = Static<typeof NotificationTarget>;
export const NotificationTargetView = targetOf(SecretView);
export type NotificationTargetView = Static<typeof NotificationTargetView>;

const CHANNEL_FIELDS = {
  formatVersion: Type.Literal(1, { default: 1, description: "Of this document's form" }),
  name: NotificationChannelNameSchema,
  enabled: Type.Boolean({ default: true }),
  minimumSeverity: textEnum(ALERT_SEVERITIES, {
    default: "warning",
    description: "Alerts of less are not told here",
  }),
  rules: readonlyArray(AlertRuleNameSchema, {
    maxItems: 64,
    default: [],
    description: "Only of these rules; none: of all",
  }),
  resolved: Type.Boolean({ default: true, description: "Whether it is told when alerts have resolved" }),
};

export const NotificationChannel = Type.Object({ ...CHANNEL_FIELDS, target: NotificationTarget }, strict);
export type NotificationChannel = Static<typeof NotificationChannel>;

export const NOTIFICATION_CHANNEL_SCHEMA_ID = "urn:tributary:schema:notification-channel:1";
export const NOTIFICATION_CHANNEL_SCHEMA = documentSchema(
  NOTIFICATION_CHANNEL_SCHEMA_ID,
  "Tributary notification channel",
  NotificationChannel,
);

/**
 * A channel as an operator wrote it, with the defaults filled in.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`; it repeats no value.
 */
export function parseNotificationChannel(value: unknown): NotificationChannel {
  const what = "notification channel";
  const json = value instanceof Uint8Array ? parseJson(what, value, LIMITS.maxTaskSpecBytes) : value;
  const channel = parseDocument(what, NotificationChannel, withoutSchemaField(json), { defaults: true });
  const { target } = channel;
  if (target.kind === "email" && (target.user === null) !== (target.password === null))
    throw invalidDocument(what, "/target/password", "goes with /target/user: both, or neither");
  if (target.kind !== "email" && "value" in target.url && !isHttpUrl(target.url.value))
    throw invalidDocument(what, "/target/url", "must be an http(s) URL");
  return channel;
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

const Count = Type.Integer({ minimum: 0 });

export const NotificationChannelView = Type.Object({
  ...CHANNEL_FIELDS,
  target: NotificationTargetView,
  /** Where it leads, without what is secret; null where that cannot be read. */
  host: nullable(Type.String()),
  /** Why nothing can be sent there now; null: nothing is known against it. */
  problem: nullable(Type.String()),
  queued: Count,
  lastDeliveredAt: nullable(TimestampSchema),
  lastError: nullable(Type.Object({ message: Type.String(), at: TimestampSchema })),
});
export type NotificationChannelView = Static<typeof NotificationChannelView>;

/** `GET /v1/notification-channels`, by name */
export const NotificationChannelList = Type.Object({ channels: readonlyArray(NotificationChannelView) });
export type NotificationChannelList = Static<typeof NotificationChannelList>;

export const DELIVERY_STATES = ["queued", "delivered", "failed", "dropped"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export const DeliveryView = Type.Object({
  /** The same in each attempt: receivers tell a second one by it. */
  id: Type.String(),
  channel: NotificationChannelNameSchema,
  purpose: textEnum(["alert", "test"]),
  summary: Type.String(),
  state: textEnum(DELIVERY_STATES, {
    description: "failed: it will not be tried again; dropped: the queue was full, or the channel went",
  }),
  attempts: Count,
  createdAt: TimestampSchema,
  nextAt: nullable(TimestampSchema, { description: "When it is tried again" }),
  endedAt: nullable(TimestampSchema),
  lastError: nullable(Type.String()),
});
export type DeliveryView = Static<typeof DeliveryView>;

/** Query of `GET /v1/notification-channels/:channel/deliveries` */
export const DeliveryListQuery = Type.Object(pageQuery(300, 50));

/** `GET /v1/notification-channels/:channel/deliveries`, newest first */
export const DeliveryList = pageOf({ deliveries: readonlyArray(DeliveryView) });
export type DeliveryList = Static<typeof DeliveryList>;

/** What is told: the body of a webhook. */
export const Notification = Type.Object({
  formatVersion: Type.Literal(1),
  id: Type.String(),
  purpose: textEnum(["alert", "test"]),
  status: textEnum(["firing", "resolved"], { description: "firing: at least one of the alerts does" }),
  coordinator: Type.String({ description: "Its name" }),
  /** Where its dashboard is; null where it does not know. */
  url: nullable(Type.String()),
  rule: AlertRuleNameSchema,
  severity: textEnum(ALERT_SEVERITIES),
  summary: Type.String(),
  at: TimestampSchema,
  alerts: readonlyArray(AlertView, { description: "The first fifty" }),
  more: Count,
});
export type Notification = Static<typeof Notification>;

/** Header with `t=<seconds>,v1=<hex>`: HMAC-SHA256, by the channel's secret, of `<seconds>.<body>`. */
export const SIGNATURE_HEADER = "tributary-signature";
/** Header with the delivery's id. */
export const DELIVERY_HEADER = "tributary-delivery";
