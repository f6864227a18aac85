import {
  ChannelHistory,
  ChannelHistoryQuery,
  ChannelList,
  ChannelSchema,
  ModelNameSchema,
  ReleaseRequest,
  VersionView,
} from "@tributary/protocol";
import type { ModelName } from "@tributary/core";
import Type from "typebox";
import { actorOf } from "../access/principal.ts";
import { LISTS } from "../pages/lists.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Registry } from "../registry/registry.ts";
import { unknownChannel } from "../registry/release-version.ts";
import { signedChannels } from "../releases/is-signed.ts";
import { channelView, versionView } from "../registry/views.ts";
import type { App } from "./app.ts";

export interface ChannelRouteOptions {
  readonly store: Pick<MetadataStore, "channels" | "releases">;
  readonly registry: Pick<Registry, "model" | "release" | "removeChannel">;
}

const tags = ["operator"];
const operator = [{ operator: [] }];

/** What devices ask models by, and releasing a version. */
export function registerChannelRoutes(app: App, { store, registry }: ChannelRouteOptions): void {
  const channelsOf = async (model: ModelName): Promise<ChannelList> => {
    const signed = await signedChannels(store, model);
    const channels = await store.channels.list(model);
    return { channels: channels.map((each) => ({ ...channelView(each), signed: signed.has(each.name) })) };
  };

  app.get(
    "/v1/models/:model/channels",
    {
      schema: {
        summary: "The channels of a model and the versions that they point to",
        tags,
        params: Type.Object({ model: ModelNameSchema }),
        response: { 200: ChannelList },
      },
    },
    async ({ params }) => channelsOf((await registry.model(params.model)).name),
  );

  app.get(
    "/v1/models/:model/channels/:channel/history",
    {
      schema: {
        summary: "The versions that a channel pointed to, what it was last moved to first",
        tags,
        params: Type.Object({ model: ModelNameSchema, channel: ChannelSchema }),
        querystring: ChannelHistoryQuery,
        response: { 200: ChannelHistory },
      },
    },
    async ({ params: { model, channel }, query }) => {
      const { name } = await registry.model(model);
      const { rows, next } = await LISTS.channelHistory(query, (page) =>
        store.channels.history(name, { name: channel, ...page }),
      );
      // A channel that was removed has one too.
      if (rows.length === 0 && query.cursor === undefined) throw unknownChannel(name, channel);
      return { history: rows.map(channelView), next };
    },
  );

  app.post(
    "/v1/models/:model/release",
    {
      schema: {
        summary: "Move a channel to a version: devices that ask for the channel run it from here on",
        tags,
        security: operator,
        params: Type.Object({ model: ModelNameSchema }),
        body: ReleaseRequest,
        response: { 200: VersionView },
      },
    },
    async (request) => {
      const { version, channel } = request.body;
      const by = actorOf(request);
      return versionView(await registry.release(request.params.model, version, { channel, by }));
    },
  );

  app.delete(
    "/v1/models/:model/channels/:channel",
    {
      schema: {
        summary: "Remove a channel: devices on it stay on their version. stable cannot be removed",
        tags,
        security: operator,
        params: Type.Object({ model: ModelNameSchema, channel: ChannelSchema }),
        response: { 200: ChannelList },
      },
    },
    async (request) => {
      const { model, channel } = request.params;
      await registry.removeChannel(model, channel, actorOf(request));
      return channelsOf(model);
    },
  );
}
