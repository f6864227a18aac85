import type { Client } from "openapi-fetch";
import { answered, json, noContent, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import { pageQuery, type PageOptions } from "./pages.ts";
import type {
  DeliveryPage,
  DeliveryView,
  NotificationChannelInput,
  NotificationChannelView,
} from "./views.ts";

/** Where alerts are told. */
export interface NotifyApi {
  /** By name. */
  notificationChannels(options?: CallOptions): Promise<readonly NotificationChannelView[]>;
  notificationChannel(name: string, options?: CallOptions): Promise<NotificationChannelView>;
  /** Adds a channel, or changes the one of its name. */
  setNotificationChannel(
    channel: NotificationChannelInput,
    options?: CallOptions,
  ): Promise<NotificationChannelView>;
  removeNotificationChannel(name: string, options?: CallOptions): Promise<void>;
  /** Sends a notification that says it is a test, once, and says what became of it. */
  testNotificationChannel(name: string, options?: CallOptions): Promise<DeliveryView>;
  /** What was told there and what waits to be, newest first. */
  deliveries(channel: string, options?: PageOptions): Promise<DeliveryPage>;
}

type ChannelBody =
  paths["/v1/notification-channels/{channel}"]["put"]["requestBody"]["content"]["application/json"];

export function notifyApi(http: Client<paths>): NotifyApi {
  return {
    notificationChannels: async (call) =>
      (
        await answered("GET /v1/notification-channels", call, () =>
          http.GET("/v1/notification-channels", { ...json(call) }),
        )
      ).channels,
    notificationChannel: (channel, call) =>
      answered(`GET /v1/notification-channels/${channel}`, call, () =>
        http.GET("/v1/notification-channels/{channel}", { params: { path: { channel } }, ...json(call) }),
      ),
    setNotificationChannel: (channel, call) =>
      answered(`PUT /v1/notification-channels/${channel.name}`, call, () =>
        http.PUT("/v1/notification-channels/{channel}", {
          params: { path: { channel: channel.name } },
          // What is left out is as by default.
          body: channel as ChannelBody,
          ...json(call),
        }),
      ),
    async removeNotificationChannel(channel, call) {
      await answered(`DELETE /v1/notification-channels/${channel}`, call, async () =>
        noContent(
          await http.DELETE("/v1/notification-channels/{channel}", {
            params: { path: { channel } },
            ...json(call),
          }),
        ),
      );
    },
    testNotificationChannel: (channel, call) =>
      answered(`POST /v1/notification-channels/${channel}/test`, call, () =>
        http.POST("/v1/notification-channels/{channel}/test", {
          params: { path: { channel } },
          ...json(call),
        }),
      ),
    deliveries: (channel, options = {}) =>
      answered(`GET /v1/notification-channels/${channel}/deliveries`, options, () =>
        http.GET("/v1/notification-channels/{channel}/deliveries", {
          params: { path: { channel }, query: pageQuery(options, 50) },
          ...json(options),
        }),
      ),
  };
}
