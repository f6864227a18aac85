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
import { joinLimbs, limbLayout, splitLimbs, type FixedMetric, type LimbLayout } from "./metric-limbs.ts";

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
  if (isFixed(metric)) {
    const limbs = limbLayout(metric, bits);
    return { codec: "counts", name, count: limbs.count, maximum: 2 ** limbs.bits - 1 };
  }
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
    const slack = isWhole(metric) ? 0 : Math.max(metric.maximum, -leastOf(metric)) * 2 ** -23;
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
    segments.length === metrics.length && metrics.every((metric, i) => fitsMetric(metric, segments[i]!));
  if (fits) return;
  throw failure("federation/plan-refused", "metrics: the plan encodes others than it names");
}

function fitsMetric(metric: MetricDocument, segment: Segment): boolean {
  const { codec, name, count } = segment;
  if (name !== metric.name) return false;
  if (isFixed(metric)) {
    if (codec !== "counts") return false;
    const { bits } = limbsOfSegment(segment);
    return Number.isInteger(bits) && count === limbLayout(metric, bits).count;
  }
  return codec === (isWhole(metric) ? "counts" : "reals") && count === widthOf(metric);
}

/** Values in the order of the segments, for `encodeContribution`. */
export function toMetricSegments(
  metrics: readonly MetricDocument[],
  segments: readonly Segment[],
  vector: Float64Array,
): readonly Float64Array[] {
  let at = 0;
  return metrics.map((metric, i) => {
    const values = vector.subarray(at, (at += widthOf(metric)));
    return isFixed(metric) ? splitLimbs(metric, values[0]!, limbsOfSegment(segments[i]!)) : values;
  });
}

/**
 * The other direction, for what `decodeSum` gave.
 *
 * @param devices whose vectors are in the sum
 */
export function fromMetricSegments(
  metrics: readonly MetricDocument[],
  segments: readonly Segment[],
  sums: readonly Float64Array[],
  devices: number,
): Float64Array<ArrayBuffer> {
  const vector = new Float64Array(metrics.reduce((length, metric) => length + widthOf(metric), 0));
  let at = 0;
  for (const [i, metric] of metrics.entries()) {
    const sum = sums[i]!;
    if (isFixed(metric)) vector[at] = joinLimbs(metric, sum, limbsOfSegment(segments[i]!), devices);
    else vector.set(sum, at);
    at += widthOf(metric);
  }
  return vector;
}

function limbsOfSegment(segment: Segment): LimbLayout {
  const maximum = segment.codec === "counts" ? segment.maximum : 0;
  return { bits: Math.log2(maximum + 1), count: segment.count };
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

function isFixed(metric: MetricDocument): metric is FixedMetric {
  return metric.kind === "counter" && metric.values === "fixed";
}

function isWhole(metric: MetricDocument): boolean {
  return metric.kind === "histogram" || metric.values === "integer";
}
