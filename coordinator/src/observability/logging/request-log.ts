import type { IncomingMessage } from "node:http";
import { randomUUID } from "node:crypto";
import type { LogFields } from "@tributary/core";
import type { App } from "../../http/app.ts";
import { withinRequest } from "./request-context.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** What the lines of this request have beside its id, once it is known: the device, its round. */
    correlation: LogFields;
  }
}

/** The header of a request's id, in both directions. */
export const REQUEST_ID_HEADER = "x-request-id";

/** An id of a client's own: it stands in problems as a URN, and in the log. */
const GIVEN_ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The id that a client gives its request, where it is a UUID, or a new one. */
export function requestId({ headers }: IncomingMessage): string {
  const given = headers[REQUEST_ID_HEADER];
  return typeof given === "string" && GIVEN_ID.test(given) ? given : randomUUID();
}

/**
 * Says each request's id in its answer and in every line that is written for it, and writes one line when it was answered. What stands
 * behind the `?` of an address, and where a request came from, is not written.
 */
export function registerRequestLog(app: App): void {
  app.decorateRequest("correlation", undefined as unknown as LogFields);
  app.addHook("onRequest", (request, reply, done) => {
    const requestId = request.id;
    request.correlation = {};
    reply.header(REQUEST_ID_HEADER, requestId);
    withinRequest({ requestId }, done);
  });
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions, is404, correlation } = request;
    request.log.info(
      {
        ...correlation,
        method,
        route: is404 ? null : (routeOptions.url ?? null),
        path: pathOf(request.url),
        status: reply.statusCode,
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
      },
      "request answered",
    );
  });
}

function pathOf(url: string): string {
  return url.split("?", 1)[0]!.slice(0, 512);
}
