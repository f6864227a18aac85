import { failure } from "@tributary/core";
import {
  checkMetrics,
  counter,
  histogram,
  metricSchema,
  signedCounter,
  type MetricSchema,
  type MetricSpec,
  type MetricVector,
} from "@tributary/metrics";
import type { MetricDocument } from "@tributary/protocol";
import type { EncodingSpec, Segment } from "@tributary/secagg";

// A vector of a measurement: its metrics stand in the signed plan, with what one device may tell of each. Device and coordinator
// read both the schema and the encoding of it here.

/** A real has as many codes as its ring leaves room for. */
const MAX_REAL_BITS = 31;

/** How the coordinates are called and read. */
export function metricSchemaOf(metrics: readonly MetricDocument[]): MetricSchema {
  return metricSchema(
    Object.fromEntries(
      metrics.map((metric): [string, MetricSpec] => {
        if (metric.kind === "counter") return [metric.name, metric.minimum < 0 ? signedCounter : counter];
        return [metric.name, histogram({ edges: metric.edges, spacing: metric.spacing })];
      }),
    ),
  );
}

/**
 * The encoding of a plan: one segment a metric, whole numbers exactly. `planEncoding` proves that no sum wraps, or refuses.
 *
 * @param clients most members of a cohort
 */
export function metricEncoding(metrics: readonly MetricDocument[], clients: number): EncodingSpec {
  const bits = Math.min(MAX_REAL_BITS, 32 - Math.ceil(Math.log2(clients)));
  return {
    clients,
    maxWeight: 1,
    rotationSeed: "",
    segments: metrics.map((metric) => segmentOf(metric, bits)),
  };
}

function segmentOf(metric: MetricDocument, bits: number): Segment {
  const { name, maximum } = metric;
  const count = widthOf(metric);
  if (metric.kind === "histogram" || metric.values === "integer") {
    return { codec: "counts", name, count, maximum };
  }
  return { codec: "reals", name, count, bits, minimum: metric.minimum, maximum };
}

/** What a device may tell of what it measured: each coordinate within its bounds, counts whole. */
export function boundMetrics(
  metrics: readonly MetricDocument[],
  vector: MetricVector,
): Float64Array<ArrayBuffer> {
  const bounded = Float64Array.from(vector);
  eachCoordinate(metrics, bounded, (metric, i) => {
    const value = Math.min(metric.maximum, Math.max(leastOf(metric), bounded[i]!));
    bounded[i] = isWhole(metric) ? Math.round(value) : value;
  });
  return bounded;
}

/**
 * A device's vector as it came, in the clear.
 *
 * @throws `update/invalid-metrics` for one that the plan does not allow
 */
export function requireMetrics(
  metrics: readonly MetricDocument[],
  values: ArrayLike<number>,
): Float64Array<ArrayBuffer> {
  const vector = checkMetrics(metricSchemaOf(metrics), values);
  eachCoordinate(metrics, vector, (metric, i) => {
    const value = vector[i]!;
    // Reals came as float32.
    const slack = isWhole(metric) ? 0 : metric.maximum * 2 ** -23;
    const fits = value >= leastOf(metric) - slack && value <= metric.maximum + slack;
    if (fits && (!isWhole(metric) || Number.isInteger(value))) return;
    throw failure(
      "update/invalid-metrics",
      `metrics: ${metric.name} is ${value}, the plan does not allow it`,
      {
        detail: { metric: metric.name, value },
      },
    );
  });
  return vector;
}

/**
 * That a plan's encoding is of its metrics: a device checks it before it counts anything.
 *
 * @throws `federation/plan-refused`
 */
export function requireMetricSegments(
  metrics: readonly MetricDocument[],
  segments: readonly Segment[],
): void {
  const fits =
    segments.length === metrics.length &&
    metrics.every((metric, i) => {
      const { codec, name, count } = segments[i]!;
      const wanted = isWhole(metric) ? "counts" : "reals";
      return codec === wanted && name === metric.name && count === widthOf(metric);
    });
  if (fits) return;
  throw failure("federation/plan-refused", "metrics: the plan encodes others than it names");
}

/** Values in the order of the segments, for `encodeContribution`. */
export function toMetricSegments(
  metrics: readonly MetricDocument[],
  vector: Float64Array,
): readonly Float64Array[] {
  let at = 0;
  return metrics.map((metric) => vector.subarray(at, (at += widthOf(metric))));
}

/** The other direction, for what `decodeSum` gave. */
export function fromMetricSegments(segments: readonly Float64Array[]): Float64Array<ArrayBuffer> {
  const vector = new Float64Array(segments.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const segment of segments) {
    vector.set(segment, at);
    at += segment.length;
  }
  return vector;
}

function eachCoordinate(
  metrics: readonly MetricDocument[],
  vector: MetricVector,
  visit: (metric: MetricDocument, index: number) => void,
): void {
  const length = metrics.reduce((sum, metric) => sum + widthOf(metric), 0);
  if (vector.length !== length) {
    throw new RangeError(`metrics: a vector of ${length} coordinates expected, got ${vector.length}`);
  }
  let at = 0;
  for (const metric of metrics) for (let i = widthOf(metric); i > 0; i--) visit(metric, at++);
}

function widthOf(metric: MetricDocument): number {
  return metric.kind === "counter" ? 1 : metric.edges.length + 1;
}

function leastOf(metric: MetricDocument): number {
  return metric.kind === "counter" ? metric.minimum : 0;
}

function isWhole(metric: MetricDocument): boolean {
  return metric.kind === "histogram" || metric.values === "integer";
}
