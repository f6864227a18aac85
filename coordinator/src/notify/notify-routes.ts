import { failure } from "@tributary/core";
import {
  DeliveryList,
  DeliveryView,
  NOTIFICATION_CHANNEL_SCHEMA,
  NotificationChannel,
  NotificationChannelList,
  NotificationChannelNameSchema,
  NotificationChannelView,
} from "@tributary/protocol";
import Type from "typebox";
import { OPERATOR_BY_HTTP } from "../audit/actors.ts";
import type { App } from "../http/app.ts";
import type { Notifier } from "./notifier.ts";

export interface NotifyRoutesOptions {
  readonly notifier: Notifier;
  readonly isOperator: (authorization: string | undefined) => boolean;
}

const tags = ["alerts"];
const security = [{ operator: [] }];
const params = Type.Object({ channel: NotificationChannelNameSchema });

/** Where alerts are told: for operators alone, also to read, as it says whom they call. */
export function registerNotifyRoutes(app: App, { notifier, isOperator }: NotifyRoutesOptions): void {
  const requireOperator = (authorization: string | undefined): void => {
    if (!isOperator(authorization))
      throw failure("identity/not-authorized", "http: notification channels need an operator token");
  };

  app.get(
    "/v1/notification-channels",
    {
      schema: {
        summary: "Where alerts are told, and how that goes; what is secret is only named",
        tags,
        security,
        response: { 200: NotificationChannelList },
      },
    },
    async ({ headers }) => {
      requireOperator(headers.authorization);
      return { channels: await notifier.channels() };
    },
  );

  app.get(
    "/v1/notification-channels/:channel",
    {
      schema: {
        summary: "One notification channel",
        tags,
        security,
        params,
        response: { 200: NotificationChannelView },
      },
    },
    async ({ params: { channel }, headers }) => {
      requireOperator(headers.authorization);
      return notifier.channel(channel);
    },
  );

  app.put(
    "/v1/notification-channels/:channel",
    {
      // Checked by parseNotificationChannel, which fills in the defaults, names the field that is wrong and repeats no value.
      schema: {
        summary:
          'Add a notification channel, or change one; a secret that is stored stays by {"stored": true}',
        tags,
        security,
        params,
        body: NotificationChannel,
        response: { 200: NotificationChannelView },
      },
      validatorCompiler: () => () => true,
    },
    ({ params: { channel }, body }) => notifier.setChannel(channel, body, OPERATOR_BY_HTTP),
  );

  app.delete(
    "/v1/notification-channels/:channel",
    {
      schema: {
        summary: "Remove a notification channel: what waits to be told there is dropped",
        tags,
        security,
        params,
        response: { 204: Type.Null() },
      },
    },
    async ({ params: { channel } }, reply) => {
      await notifier.removeChannel(channel, OPERATOR_BY_HTTP);
      return reply.status(204).send(null);
    },
  );

  app.post(
    "/v1/notification-channels/:channel/test",
    {
      schema: {
        summary: "Send a notification that says it is a test, once, and say what became of it",
        tags,
        security,
        params,
        response: { 200: DeliveryView },
      },
    },
    ({ params: { channel } }) => notifier.test(channel, OPERATOR_BY_HTTP),
  );

  app.get(
    "/v1/notification-channels/:channel/deliveries",
    {
      schema: {
        summary: "What was told there and what waits to be, newest first",
        tags,
        security,
        params,
        querystring: Type.Object({ limit: Type.Integer({ minimum: 1, maximum: 300, default: 50 }) }),
        response: { 200: DeliveryList },
      },
    },
    async ({ params: { channel }, query, headers }) => {
      requireOperator(headers.authorization);
      return { deliveries: await notifier.deliveries(channel, query.limit) };
    },
  );

  app.get("/schemas/notification-channel.json", { schema: { hide: true } }, async (_, reply) =>
    reply.type("application/schema+json").send(JSON.stringify(NOTIFICATION_CHANNEL_SCHEMA)),
  );
}
