/** What `runtime.metrics()` returns, in OpenTelemetry's words: for apps that have a collector. Loaded by those alone. */
import { systemClock } from "@tributary/core";
import type { HistogramView, Metrics, ModelMetrics } from "../telemetry/model-metrics.ts";
import {
  attributes,
  CUMULATIVE,
  nanoseconds,
  type AttributeValue,
  type OtlpHistogramPoint,
  type OtlpMetric,
  type OtlpMetrics,
  type OtlpPoint,
} from "./otlp.ts";

export interface OpenTelemetryOptions {
  /** `service.name`: the app. */
  readonly serviceName: string;
  /** More attributes of the resource, such as `service.version`. @defaultValue none */
  readonly resource?: Readonly<Record<string, AttributeValue>>;
  /** When the metrics were read, in milliseconds since the epoch. @defaultValue now */
  readonly at?: number;
}

type Values = Readonly<Record<string, AttributeValue>>;

/** A point before it is stamped. */
interface Counted {
  readonly values: Values;
  readonly count: number;
}
interface Binned {
  readonly values: Values;
  readonly histogram: HistogramView;
}

/**
 * The metrics as OTLP/JSON, to be posted to a collector's `/v1/metrics`. Names and units follow the semantic conventions: seconds and bytes
 * by their UCUM codes, counts in braces, `error.type` on what failed; what these have no name for stands under `tributary`.
 *
 * Our bins hold `low <= value < high`, OTLP's `low < value <= high`: a value on an edge stands one bin higher here.
 */
export function toOpenTelemetry(metrics: Metrics, options: OpenTelemetryOptions): OtlpMetrics {
  const { serviceName, resource = {}, at = systemClock.now() } = options;
  const stamp = (values: Values): OtlpPoint => ({
    attributes: attributes(values),
    startTimeUnixNano: nanoseconds(metrics.startedAt),
    timeUnixNano: nanoseconds(at),
  });
  const { models } = metrics;
  const each = <T>(of: (model: ModelMetrics, values: Values) => readonly T[]): T[] =>
    models.flatMap((model) => of(model, modelValues(model)));
  const written = [
    sum(stamp, CALLS, each(calls)),
    histogram(stamp, DURATION, each(durations)),
    histogram(
      stamp,
      THROUGHPUT,
      each(({ throughput }, values) => [{ values, histogram: throughput }]),
    ),
    sum(
      stamp,
      PREDICTIONS,
      each(({ predictions }, values) => byClass(predictions, values)),
    ),
    histogram(
      stamp,
      CONFIDENCE,
      each(({ confidence }, values) => (confidence === undefined ? [] : [{ values, histogram: confidence }])),
    ),
    histogram(stamp, FEATURE, each(features)),
    sum(
      stamp,
      LABELS,
      each(({ labels }, values) => byClass(labels, values)),
    ),
    sum(stamp, FEEDBACK, each(feedback)),
    ...(metrics.heapBytes === undefined
      ? []
      : [sum(stamp, MEMORY, [{ values: {}, count: metrics.heapBytes }], false)]),
  ];
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributes({ "service.name": serviceName, ...resource }) },
        scopeMetrics: [
          { scope: { name: "@tributary/runtime" }, metrics: written.filter((metric) => !isEmpty(metric)) },
        ],
      },
    ],
  };
}

type Instrument = Pick<OtlpMetric, "name" | "description" | "unit">;
type Stamp = (values: Values) => OtlpPoint;

const instrument = (name: string, unit: string, description: string): Instrument => ({
  name: `tributary.${name}`,
  description,
  unit,
});
const CALLS = instrument("inference.calls", "{call}", "Calls of a model, failed ones with error.type");
const DURATION = instrument("inference.duration", "s", "Time of one run in the engine");
const THROUGHPUT = instrument(
  "inference.throughput",
  "{example}/s",
  "Examples answered in each second in which any was",
);
const PREDICTIONS = instrument("inference.predictions", "{example}", "Answers by class");
const CONFIDENCE = instrument("inference.confidence", "1", "Largest probability of each answer");
const FEATURE = instrument("inference.feature", "1", "Values of an input, or their mean or deviation");
const LABELS = instrument("example.labels", "{example}", "Labels of examples that were added");
const FEEDBACK = instrument("feedback.answers", "{answer}", "Answers that a page said the right class of");
const MEMORY = instrument("engine.memory.usage", "By", "Memory that the engine has reserved");

function modelValues({ model, version }: ModelMetrics): Values {
  return { "tributary.model.name": model, "tributary.model.version": version };
}

function calls({ runs, errors }: ModelMetrics, values: Values): Counted[] {
  const failed = Object.entries(errors).map(([code, count]) => ({
    values: { ...values, "error.type": code },
    count,
  }));
  return [{ values, count: runs }, ...failed];
}

function durations({ latencyMs }: ModelMetrics, values: Values): Binned[] {
  return Object.entries(latencyMs).map(
    ([
      engine,
      {
        histogram: { edges, counts },
      },
    ]) => ({
      values: { ...values, "tributary.engine.name": engine },
      histogram: { edges: edges.map((edge) => edge / 1000), counts },
    }),
  );
}

function features({ features: all }: ModelMetrics, values: Values): Binned[] {
  return Object.entries(all).map(([name, counted]) => ({
    values: { ...values, "tributary.feature.name": name },
    histogram: counted,
  }));
}

function feedback({ feedback: { answers, correct } }: ModelMetrics, values: Values): Counted[] {
  if (answers === 0) return [];
  return [true, false].map((right) => ({
    values: { ...values, "tributary.feedback.correct": right },
    count: right ? correct : answers - correct,
  }));
}

function byClass(counts: readonly number[] | undefined, values: Values): Counted[] {
  return (counts ?? []).flatMap((count, index) =>
    count === 0 ? [] : [{ values: { ...values, "tributary.class.index": index }, count }],
  );
}

function sum(stamp: Stamp, named: Instrument, points: readonly Counted[], isMonotonic = true): OtlpMetric {
  const dataPoints = points.map(({ values, count }) => ({ ...stamp(values), asInt: String(count) }));
  return { ...named, sum: { aggregationTemporality: CUMULATIVE, isMonotonic, dataPoints } };
}

function histogram(stamp: Stamp, named: Instrument, points: readonly Binned[]): OtlpMetric {
  const dataPoints = points.map(({ values, histogram: { edges, counts } }): OtlpHistogramPoint => ({
    ...stamp(values),
    count: String(counts.reduce((all, each) => all + each, 0)),
    bucketCounts: counts.map(String),
    explicitBounds: edges,
  }));
  return { ...named, histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
}

function isEmpty(metric: OtlpMetric): boolean {
  return ("sum" in metric ? metric.sum : metric.histogram).dataPoints.length === 0;
}
