import { isDeepStrictEqual } from "node:util";
import Type from "typebox";
import { eventFilter } from "../access/event-filter.ts";
import type { Guard } from "../access/guard.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { App } from "./app.ts";
import type { EventStreams } from "./event-streams.ts";

export interface EventRouteOptions {
  readonly streams: EventStreams;
  readonly store: Pick<MetadataStore, "tasks">;
  readonly guard: Pick<Guard, "identify">;
}

/** `GET /v1/events`: everything that changes, as it does. */
export function registerEventRoutes(app: App, { streams, store, guard }: EventRouteOptions): void {
  app.get(
    "/v1/events",
    {
      exposeHeadRoute: false,
      config: { of: "any" },
      schema: {
        summary:
          "Server-sent events: round, task, version, channel, alias, rollout, withdrawal, suspicion, alert, record, devices, activity, storage, reset; resumed by Last-Event-ID",
        tags: ["operator"],
        // EventSource cannot set the header on a connection that is not a reconnection of its own.
        querystring: Type.Object({ lastEventId: Type.Optional(Type.String({ maxLength: 20 })) }),
        produces: ["text/event-stream"],
      },
    },
    async (request, reply) => {
      const header = request.headers["last-event-id"];
      const lastEventId = (typeof header === "string" ? header : undefined) ?? request.query.lastEventId;
      const headers = Object.fromEntries(
        Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]),
      );
      const { principal } = request;
      streams.open(reply.raw, headers, lastEventId, {
        sees: await eventFilter(principal, store),
        // With other rights it is another stream.
        isWelcome: async () => isDeepStrictEqual(await guard.identify(request), principal),
      });
      reply.hijack();
    },
  );
  // Streams do not end by themselves: they end before the server waits for its connections.
  app.addHook("preClose", async () => streams.close());
}
