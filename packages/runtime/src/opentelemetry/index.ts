export type {
  AttributeValue,
  OtlpAttribute,
  OtlpHistogramPoint,
  OtlpMetric,
  OtlpMetrics,
  OtlpPoint,
} from "./otlp.ts";
export { toOpenTelemetry, type OpenTelemetryOptions } from "./to-opentelemetry.ts";
