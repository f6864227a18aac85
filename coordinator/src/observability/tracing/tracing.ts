import { context, propagation, ROOT_CONTEXT, trace, type Context, type Tracer } from "@opentelemetry/api";
import type { Logger } from "@tributary/core";
import type { TracingConfig } from "../../config.ts";
import { traceFields } from "./traced.ts";

/** What makes spans, and where they go. */
export interface Tracing {
  readonly tracer: Tracer;
  /** The span that a client says it is in, by its `traceparent`. */
  parentOf(headers: Readonly<Record<string, unknown>>): Context;
  /** Sends what was not sent yet. */
  close(): Promise<void>;
}

export interface TracingOptions {
  readonly config: TracingConfig | undefined;
  readonly version: string;
  readonly log: Logger;
}

export const TRACER_NAME = "@tributary/coordinator";

/**
 * Traces go to the collector that is named, by OTLP over HTTP; what makes and sends them is loaded then and not before. Without one, spans are those
 * of the process: an app that embeds the coordinator and traces itself has them in its own, and else there are none.
 */
export async function openTracing(options: TracingOptions): Promise<Tracing> {
  const { config, version } = options;
  if (config !== undefined) {
    const { openOtlpTracing } = await import("./otlp-tracing.ts");
    return openOtlpTracing({ ...options, config });
  }
  return {
    tracer: trace.getTracer(TRACER_NAME, version),
    parentOf: (headers) => propagation.extract(ROOT_CONTEXT, headers),
    close: () => Promise.resolve(),
  };
}

/** Of the span that is under way, for a log line. */
export function activeTraceFields(): Record<string, unknown> {
  return { ...traceFields(trace.getSpan(context.active())) };
}
