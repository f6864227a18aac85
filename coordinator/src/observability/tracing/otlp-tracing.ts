import { context, defaultTextMapGetter, diag, DiagLogLevel, ROOT_CONTEXT } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import type { Logger } from "@tributary/core";
import type { TracingConfig } from "../../config.ts";
import { TRACER_NAME, type Tracing } from "./tracing.ts";

export interface OtlpTracingOptions {
  readonly config: TracingConfig;
  readonly version: string;
  readonly log: Logger;
}

/** Spans leave in batches, in the background; what the collector does not take is lost, and nothing waits for it. */
export function openOtlpTracing({ config, version, log }: OtlpTracingOptions): Tracing {
  const { endpoint, ratio = 1 } = config;
  // One of the process, whoever sets it first: an app that embeds the coordinator may have its own.
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  tellFailures(log);
  // Names, headers, time limits and certificates are those of OpenTelemetry's own variables (OTEL_*).
  const resource = resourceFromAttributes({
    "service.name": "tributary-coordinator",
    "service.version": version,
  }).merge(detectResources({ detectors: [envDetector] }));
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, "")}/v1/traces` });
  const provider = new TracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const propagator = new W3CTraceContextPropagator();
  return {
    tracer: provider.getTracer(TRACER_NAME, version),
    parentOf: (headers) => propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter),
    close: () => provider.shutdown(),
  };
}

/** What OpenTelemetry finds wrong goes to the log: a collector that is not there, above all. */
function tellFailures(log: Logger): void {
  const tell = (level: "warn" | "error") => (message: string) =>
    log[level]("tracing: OpenTelemetry reports a problem", { problem: message.slice(0, 500) });
  const none = (): void => {};
  const logger = { error: tell("warn"), warn: tell("warn"), info: none, debug: none, verbose: none };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}
