import { failure, type Clock } from "@tributary/core";
import { DELIVERY_HEADER, SIGNATURE_HEADER, type Notification } from "@tributary/protocol";
import type { NotificationChannelRecord } from "../ports/alert-records.ts";
import { destinationOf, type Destination, type DestinationRules, type Resolve } from "./destinations.ts";
import { mailText, slackMessage, subjectOf } from "./messages.ts";
import { POST_TIMEOUT_MS, postJson } from "./post.ts";
import { readSecret, type SecretSources } from "./secrets.ts";
import { webhookSignature } from "./signature.ts";

export interface SendingContext {
  readonly clock: Pick<Clock, "now">;
  readonly rules: DestinationRules;
  readonly secrets: SecretSources;
  /** Certificates (PEM) that servers are believed by beside the usual ones. */
  readonly ca?: string | undefined;
  readonly resolve?: Resolve | undefined;
}

/**
 * Sends one notification to one channel.
 *
 * @throws `notify/*`; the detail's `retryAfterMs` where the receiver said when
 */
export async function send(
  context: SendingContext,
  record: NotificationChannelRecord,
  notification: Notification,
  signal?: AbortSignal,
): Promise<void> {
  const { target } = record.channel;
  switch (target.kind) {
    case "webhook": {
      const body = JSON.stringify(notification);
      const headers = { [DELIVERY_HEADER]: notification.id };
      if (target.secret === null) return post(context, record, body, headers, signal);
      const secret = await readSecret("secret", target.secret, record, context.secrets);
      const signed = { [SIGNATURE_HEADER]: webhookSignature(secret, body, context.clock.now()) };
      return post(context, record, body, { ...headers, ...signed }, signal);
    }
    case "slack":
      return post(context, record, JSON.stringify(slackMessage(notification)), {}, signal);
    case "email":
      return mail(context, record, notification);
  }
}

/**
 * Whether a channel's host may be sent to.
 *
 * @returns the host
 * @throws as `send`
 */
export async function checkDestination(
  context: SendingContext,
  record: NotificationChannelRecord,
): Promise<string> {
  const { target } = record.channel;
  if (target.kind === "email") {
    await destinationOf(target.host, target.port, context.rules, context.resolve);
    return target.host;
  }
  const url = await urlOf(context, record);
  await webDestination(context, url);
  return url.host;
}

/** Where a channel leads, without looking it up; @throws `notify/secret-missing`, `notify/invalid-url` */
export async function hostOf(context: SendingContext, record: NotificationChannelRecord): Promise<string> {
  const { target } = record.channel;
  return target.kind === "email" ? `${target.host}:${target.port}` : (await urlOf(context, record)).host;
}

async function urlOf(context: SendingContext, record: NotificationChannelRecord): Promise<URL> {
  const { target } = record.channel;
  if (target.kind === "email") throw new TypeError("notify: a mail has no URL");
  const text = await readSecret("url", target.url, record, context.secrets);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:")
    throw failure("notify/invalid-url", "notify: what is to be the channel's URL is none", { detail: {} });
  return url;
}

async function webDestination(context: SendingContext, url: URL): Promise<Destination> {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const destination = await destinationOf(url.hostname, port, context.rules, context.resolve);
  if (url.protocol === "http:" && !destination.isPrivate)
    throw failure(
      "notify/address-refused",
      `notify: ${url.host}: over the internet notifications go by https alone`,
      { detail: { host: url.host } },
    );
  return destination;
}

async function post(
  context: SendingContext,
  record: NotificationChannelRecord,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const url = await urlOf(context, record);
  const destination = await webDestination(context, url);
  const { status, retryAfterMs } = await postJson(url, body, {
    destination,
    headers,
    ca: context.ca,
    signal,
  });
  if (status >= 200 && status < 300) return;
  const detail = { host: url.host, status, ...(retryAfterMs === null ? {} : { retryAfterMs }) };
  // Receivers say by these that the same may be taken later.
  const later = status >= 500 || [408, 425, 429].includes(status);
  throw later
    ? failure("notify/not-delivered", `notify: ${url.host} answered ${status}`, { detail })
    : failure("notify/refused", `notify: ${url.host} answered ${status}`, { detail });
}

async function mail(
  context: SendingContext,
  record: NotificationChannelRecord,
  notification: Notification,
): Promise<void> {
  const { target } = record.channel;
  if (target.kind !== "email") throw new TypeError("notify: not a mail");
  const { host, port, security, user, from, to, password } = target;
  const { address } = await destinationOf(host, port, context.rules, context.resolve);
  const auth =
    user === null || password === null
      ? undefined
      : { user, pass: await readSecret("password", password, record, context.secrets) };
  // Most coordinators send no mail.
  const { createTransport } = await import("nodemailer");
  const transport = createTransport({
    host: address,
    port,
    secure: security === "tls",
    requireTLS: security === "starttls",
    ignoreTLS: security === "none",
    ...(auth === undefined ? {} : { auth }),
    tls: { servername: host, ...(context.ca === undefined ? {} : { ca: context.ca }) },
    connectionTimeout: POST_TIMEOUT_MS,
    greetingTimeout: POST_TIMEOUT_MS,
    socketTimeout: 2 * POST_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from,
      to: [...to],
      subject: subjectOf(notification),
      text: mailText(notification),
      messageId: `<${notification.id}@tributary>`,
      headers: { "auto-submitted": "auto-generated" },
    });
  } catch (cause) {
    // What a server says may repeat what was sent: its code is enough.
    const { code = "failed", responseCode } = cause as {
      readonly code?: string;
      readonly responseCode?: number;
    };
    const said = responseCode === undefined ? code : `${code}, ${responseCode}`;
    const detail = { host, why: said };
    const refused = code === "EAUTH" || code === "EENVELOPE" || (responseCode ?? 0) >= 500;
    throw failure(refused ? "notify/refused" : "notify/not-delivered", `notify: ${host}: ${said}`, {
      detail,
      cause: undefined,
    });
  } finally {
    transport.close();
  }
}
