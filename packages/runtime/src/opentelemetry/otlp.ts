// The part of OTLP/JSON that metrics need (opentelemetry-proto 1.x, `ExportMetricsServiceRequest`, in the JSON mapping of Protobuf:
// 64-bit integers are decimal strings, enums numbers).

/** What a collector takes at `/v1/metrics`, as `application/json`. */
export interface OtlpMetrics {
  readonly resourceMetrics: readonly [
    {
      readonly resource: { readonly attributes: readonly OtlpAttribute[] };
      readonly scopeMetrics: readonly [
        { readonly scope: { readonly name: string }; readonly metrics: readonly OtlpMetric[] },
      ];
    },
  ];
}

export interface OtlpAttribute {
  readonly key: string;
  readonly value:
    | { readonly stringValue: string }
    | { readonly intValue: string }
    | { readonly boolValue: boolean };
}

interface Named {
  readonly name: string;
  readonly description: string;
  /** UCUM. */
  readonly unit: string;
}

/** Cumulative: counts since the runtime started. */
export type OtlpMetric =
  | (Named & {
      readonly sum: {
        readonly aggregationTemporality: typeof CUMULATIVE;
        readonly isMonotonic: boolean;
        readonly dataPoints: readonly (OtlpPoint & { readonly asInt: string })[];
      };
    })
  | (Named & {
      readonly histogram: {
        readonly aggregationTemporality: typeof CUMULATIVE;
        readonly dataPoints: readonly OtlpHistogramPoint[];
      };
    });

export interface OtlpPoint {
  readonly attributes: readonly OtlpAttribute[];
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
}

/** Without a sum, which bins do not know. */
export interface OtlpHistogramPoint extends OtlpPoint {
  readonly count: string;
  readonly bucketCounts: readonly string[];
  readonly explicitBounds: readonly number[];
}

export const CUMULATIVE = 2;

export type AttributeValue = string | number | boolean;

/** Numbers are whole. */
export function attributes(values: Readonly<Record<string, AttributeValue>>): readonly OtlpAttribute[] {
  return Object.entries(values).map(([key, value]) => ({
    key,
    value:
      typeof value === "string"
        ? { stringValue: value }
        : typeof value === "boolean"
          ? { boolValue: value }
          : { intValue: String(value) },
  }));
}

/** @param ms - since the epoch */
export function nanoseconds(ms: number): string {
  return String(BigInt(Math.round(ms)) * 1_000_000n);
}
