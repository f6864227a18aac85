import {
  DeliveryList,
  DeliveryListQuery,
  DeliveryView,
  NOTIFICATION_CHANNEL_SCHEMA,
  NotificationChannel,
  NotificationChannelList,
  NotificationChannelNameSchema,
  NotificationChannelView,
} from "@tributary/protocol";
import Type from "typebox";
import { actorOf } from "../access/principal.ts";
import type { App } from "../http/app.ts";
import { bodyCheckedByHandler } from "../http/validators.ts";
import { namedByPath } from "../http/named-by-path.ts";
import type { Notifier } from "./notifier.ts";

const tags = ["alerts"];
const security = [{ operator: [] }];
const params = Type.Object({ channel: NotificationChannelNameSchema });
const config = { needs: "administer" } as const;

/** Where alerts are told: for administrators alone, also to read, as it says whom operators call. */
export function registerNotifyRoutes(app: App, notifier: Notifier): void {
  app.get(
    "/v1/notification-channels",
    {
      config,
      schema: {
        summary: "Where alerts are told, and how that goes; what is secret is only named",
        tags,
        security,
        response: { 200: NotificationChannelList },
      },
    },
    async () => ({ channels: await notifier.channels() }),
  );

  app.get(
    "/v1/notification-channels/:channel",
    {
      config,
      schema: {
        summary: "One notification channel",
        tags,
        security,
        params,
        response: { 200: NotificationChannelView },
      },
    },
    ({ params: { channel } }) => notifier.channel(channel),
  );

  app.put(
    "/v1/notification-channels/:channel",
    {
      config,
      // Checked by parseNotificationChannel, which fills in the defaults, names the field that is wrong and repeats no value.
      schema: {
        summary:
          'Add a notification channel, or change one; a secret that is stored stays by {"stored": true}',
        tags,
        security,
        params,
        body: namedByPath(NotificationChannel),
        response: { 200: NotificationChannelView },
      },
      validatorCompiler: bodyCheckedByHandler,
    },
    (request) => notifier.setChannel(request.params.channel, request.body, actorOf(request)),
  );

  app.delete(
    "/v1/notification-channels/:channel",
    {
      config,
      schema: {
        summary: "Remove a notification channel: what waits to be told there is dropped",
        tags,
        security,
        params,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      await notifier.removeChannel(request.params.channel, actorOf(request));
      return reply.status(204).send(null);
    },
  );

  app.post(
    "/v1/notification-channels/:channel/test",
    {
      config,
      schema: {
        summary: "Send a notification that says it is a test, once, and say what became of it",
        tags,
        security,
        params,
        response: { 200: DeliveryView },
      },
    },
    (request) => notifier.test(request.params.channel, actorOf(request)),
  );

  app.get(
    "/v1/notification-channels/:channel/deliveries",
    {
      config,
      schema: {
        summary: "What was told there and what waits to be, newest first",
        tags,
        security,
        params,
        querystring: DeliveryListQuery,
        response: { 200: DeliveryList },
      },
    },
    ({ params: { channel }, query }) => notifier.deliveries(channel, query),
  );

  app.get(
    "/schemas/notification-channel.json",
    {
      config: { audience: "public" },
      schema: {
        summary: "The JSON Schema of a notification channel",
        tags: ["documents"],
        produces: ["application/schema+json"],
      },
    },
    async (_, reply) =>
      reply.type("application/schema+json").send(JSON.stringify(NOTIFICATION_CHANNEL_SCHEMA)),
  );
}
