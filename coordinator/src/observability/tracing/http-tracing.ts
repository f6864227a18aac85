import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, type Span } from "@opentelemetry/api";
import {
  ATTR_ERROR_TYPE,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_RESPONSE_STATUS_CODE,
  ATTR_HTTP_ROUTE,
  ATTR_NETWORK_PROTOCOL_VERSION,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
} from "@opentelemetry/semantic-conventions";
import type { FastifyRequest } from "fastify";
import type { App } from "../../http/app.ts";
import { spanTime } from "./span-clock.ts";
import { spanContextOf, traceFields } from "./traced.ts";
import type { Tracing } from "./tracing.ts";

export interface HttpTracingOptions extends Pick<Tracing, "tracer" | "parentOf"> {
  /** Whose `traceparent` is believed: others could fill a trace that is not theirs, and choose what is sampled. */
  readonly isOperator: (request: FastifyRequest) => boolean;
}

/** Streams last for hours, and who scrapes comes every few seconds: nothing is learned of either. */
const UNTRACED = new Set(["/v1/events", "/metrics"]);

/** A span for each request, from its head to the end of its answer, by the names of the semantic conventions for HTTP. */
export function registerHttpTracing(app: App, { tracer, parentOf, isOperator }: HttpTracingOptions): void {
  const spans = new WeakMap<FastifyRequest, Span>();
  app.addHook("onRequest", (request, reply, done) => {
    const { method, routeOptions, is404, headers } = request;
    const route = is404 ? undefined : routeOptions.url;
    if (route !== undefined && UNTRACED.has(route)) return done();
    const given = headers["traceparent"] !== undefined && isOperator(request);
    const parent = given ? parentOf(headers) : ROOT_CONTEXT;
    const { hostname, port } = request;
    const span = tracer.startSpan(
      route === undefined ? method : `${method} ${route}`,
      {
        kind: SpanKind.SERVER,
        startTime: spanTime(),
        attributes: {
          [ATTR_HTTP_REQUEST_METHOD]: method,
          [ATTR_URL_SCHEME]: request.protocol,
          [ATTR_URL_PATH]: request.url.split("?", 1)[0]!.slice(0, 512),
          [ATTR_NETWORK_PROTOCOL_VERSION]: request.raw.httpVersion,
          [ATTR_SERVER_ADDRESS]: hostname,
          ...(port === null || Number.isNaN(port) ? {} : { [ATTR_SERVER_PORT]: port }),
          ...(route === undefined ? {} : { [ATTR_HTTP_ROUTE]: route }),
          "tributary.request.id": request.id,
        },
      },
      parent,
    );
    if (!span.isRecording()) return done();
    spans.set(request, span);
    request.correlation = { ...request.correlation, ...traceFields(span) };
    const { traceId, spanId, traceFlags } = span.spanContext();
    reply.header("traceparent", `00-${traceId}-${spanId}-0${traceFlags & 1}`);
    context.with(spanContextOf(tracer, span, parent), done);
  });
  app.addHook("onResponse", async (request, reply) => {
    const span = spans.get(request);
    if (span === undefined) return;
    const { statusCode } = reply;
    span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, statusCode);
    if (statusCode >= 500) {
      span.setAttribute(ATTR_ERROR_TYPE, String(statusCode));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    const { device, roundId } = request.correlation;
    if (typeof device === "string") span.setAttribute("tributary.device", device);
    if (typeof roundId === "string") span.setAttribute("tributary.round.id", roundId);
    span.end(spanTime());
  });
}
