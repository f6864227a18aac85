import Type from "typebox";
import type { App } from "./app.ts";
import type { EventStreams } from "./event-streams.ts";

/** `GET /v1/events`: rounds, tasks, versions, quarantines and device counts as they change. */
export function registerEventRoutes(app: App, streams: EventStreams): void {
  app.get(
    "/v1/events",
    {
      exposeHeadRoute: false,
      schema: {
        summary:
          "Server-sent events: round, task, version, suspicion, devices, reset; resumed by Last-Event-ID",
        tags: ["operator"],
        // EventSource cannot set the header on a connection that is not a reconnection of its own.
        querystring: Type.Object({ lastEventId: Type.Optional(Type.String({ maxLength: 20 })) }),
        produces: ["text/event-stream"],
      },
    },
    (request, reply) => {
      const header = request.headers["last-event-id"];
      const lastEventId = (typeof header === "string" ? header : undefined) ?? request.query.lastEventId;
      const headers = Object.fromEntries(
        Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]),
      );
      streams.open(reply.raw, headers, lastEventId);
      reply.hijack();
    },
  );
  // Streams do not end by themselves: they end before the server waits for its connections.
  app.addHook("preClose", async () => streams.close());
}
