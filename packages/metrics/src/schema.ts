import { failure } from "@tributary/core";
import { binCount, binOf, type Bins } from "./bins.ts";
import { createHistogram, type Histogram } from "./histogram.ts";

/** A sum over events: examples seen, loss summed. */
export interface CounterSpec {
  readonly kind: "counter";
  /** It may be negative: a sum of differences. */
  readonly signed?: true;
}
export interface HistogramSpec {
  readonly kind: "histogram";
  readonly bins: Bins;
}
export type MetricSpec = CounterSpec | HistogramSpec;
type Specs = Readonly<Record<string, MetricSpec>>;

type NamesOf<S extends Specs, Kind extends MetricSpec["kind"]> = {
  [K in keyof S & string]: S[K]["kind"] extends Kind ? K : never;
}[keyof S & string];

/**
 * Metrics laid out as one flat vector of fixed length. Vectors of one schema add coordinate by coordinate, in the
 * clear or under masks, and what is read from a sum holds for the whole cohort.
 */
export interface MetricSchema<S extends Specs = Specs> {
  readonly specs: S;
  /** Coordinates of a vector. */
  readonly length: number;
  readonly offsets: ReadonlyMap<string, number>;
}

/** What a vector says, by name. */
export interface MetricReading<S extends Specs = Specs> {
  readonly counters: { readonly [K in NamesOf<S, "counter">]: number };
  readonly histograms: { readonly [K in NamesOf<S, "histogram">]: Histogram };
}

export type MetricVector = Float64Array | Float32Array;

export const counter: CounterSpec = Object.freeze({ kind: "counter" });
export const signedCounter: CounterSpec = Object.freeze({ kind: "counter", signed: true });
export const histogram = (bins: Bins): HistogramSpec => Object.freeze({ kind: "histogram", bins });

const width = (spec: MetricSpec): number => (spec.kind === "counter" ? 1 : binCount(spec.bins));

/** A schema from named metrics; their order is the order of the coordinates. */
export function metricSchema<const S extends Specs>(specs: S): MetricSchema<S> {
  const offsets = new Map<string, number>();
  let length = 0;
  for (const [name, spec] of Object.entries(specs)) {
    offsets.set(name, length);
    length += width(spec);
  }
  return Object.freeze({ specs, length, offsets });
}

/** A vector of zeros. */
export function createMetrics(schema: MetricSchema): Float64Array<ArrayBuffer> {
  return new Float64Array(schema.length);
}

function requireLength(schema: MetricSchema, vector: MetricVector): void {
  if (vector.length !== schema.length) {
    throw new RangeError(`metrics: a vector of ${schema.length} coordinates expected, got ${vector.length}`);
  }
}

/** Adds to a counter. */
export function count<S extends Specs>(
  schema: MetricSchema<S>,
  vector: MetricVector,
  name: NamesOf<S, "counter">,
  amount = 1,
): void {
  requireLength(schema, vector);
  vector[schema.offsets.get(name)!]! += amount;
}

/** Counts a value in a histogram. */
export function record<S extends Specs>(
  schema: MetricSchema<S>,
  vector: MetricVector,
  name: NamesOf<S, "histogram">,
  value: number,
): void {
  requireLength(schema, vector);
  const { bins } = schema.specs[name] as HistogramSpec;
  vector[schema.offsets.get(name)! + binOf(bins, value)]! += 1;
}

/** into += other */
export function addMetrics(into: MetricVector, other: MetricVector): void {
  if (into.length !== other.length)
    throw new RangeError(`metrics: vectors of one length expected, got ${into.length} and ${other.length}`);
  for (let i = 0; i < into.length; i++) into[i]! += other[i]!;
}

/** Names what a vector holds. Histograms are copies. */
export function readMetrics<S extends Specs>(
  schema: MetricSchema<S>,
  vector: MetricVector,
): MetricReading<S> {
  requireLength(schema, vector);
  const counters: Record<string, number> = {};
  const histograms: Record<string, Histogram> = {};
  for (const [name, spec] of Object.entries(schema.specs)) {
    const offset = schema.offsets.get(name)!;
    if (spec.kind === "counter") counters[name] = vector[offset]!;
    else
      histograms[name] = createHistogram(
        spec.bins,
        Float64Array.from(vector.subarray(offset, offset + width(spec))),
      );
  }
  return { counters, histograms } as unknown as MetricReading<S>;
}

/** A vector from outside: the right length, every coordinate finite, and not negative unless it is signed; throws `update/invalid-metrics`. */
export function checkMetrics(schema: MetricSchema, values: ArrayLike<number>): Float64Array<ArrayBuffer> {
  if (values.length !== schema.length) {
    throw failure(
      "update/invalid-metrics",
      `metrics: ${schema.length} coordinates expected, got ${values.length}`,
      {
        detail: { expected: schema.length, got: values.length },
      },
    );
  }
  const vector = Float64Array.from(values);
  const signed = new Set(
    Object.entries(schema.specs).flatMap(([name, spec]) =>
      spec.kind === "counter" && spec.signed === true ? [schema.offsets.get(name)] : [],
    ),
  );
  const bad = vector.findIndex((value, i) => !Number.isFinite(value) || (value < 0 && !signed.has(i)));
  if (bad >= 0)
    throw failure("update/invalid-metrics", `metrics: coordinate ${bad} is ${vector[bad]}`, {
      detail: { index: bad },
    });
  return vector;
}
