import { metricSchemaOf } from "@tributary/federation";
import {
  createHistogram,
  driftOf,
  isOfClasses,
  mayDrift,
  readMetrics,
  type Histogram,
} from "@tributary/metrics";
import type { DriftView, MetricDocument, TelemetryReference } from "@tributary/protocol";
import type { MeasurementRecord } from "../ports/task-records.ts";

/** What the measurements of a task are compared with. */
export interface DriftReference {
  /** Of the data set that the task names. */
  readonly dataset: TelemetryReference | undefined;
  /** The first that was taken: for what the data set says nothing of. */
  readonly first: MeasurementRecord | undefined;
}

type Found = { readonly histogram: Histogram } & Pick<
  DriftView["reference"],
  "source" | "roundId" | "version"
>;

/** Of each histogram that tells of the data: the one that drifted most first, beside what chance alone would do. */
export function driftViews(record: MeasurementRecord, reference: DriftReference): DriftView[] {
  if (record.purpose !== "telemetry") return [];
  const observed = histogramsOf(record);
  const views = record.metrics.flatMap((metric): DriftView[] => {
    const histogram = observed[metric.name];
    if (histogram === undefined || !mayDrift(metric.name)) return [];
    const found = referenceHistogram(metric, record, reference);
    return found === undefined ? [] : viewOf(metric.name, found, histogram);
  });
  return views.toSorted((a, b) => excess(b) - excess(a));
}

/** What a metric of a measurement is compared with; undefined: nothing. */
export function referenceHistogram(
  metric: MetricDocument,
  record: MeasurementRecord,
  reference: DriftReference,
): Found | undefined {
  return fromDataset(metric, reference) ?? fromFirst(metric, record, reference);
}

function viewOf(metric: string, { histogram, ...source }: Found, observed: Histogram): DriftView[] {
  const drift = driftOf(histogram, observed, { ordered: !isOfClasses(metric) });
  if (drift === undefined) return [];
  const { psi, psiExpected, psiLimit, ks, ksExpected, ksLimit, referenceCount, count } = drift;
  return [
    {
      metric,
      reference: { ...source, count: referenceCount },
      count,
      psi,
      psiExpected,
      psiLimit,
      ks: ks ?? null,
      ksExpected: ksExpected ?? null,
      ksLimit: ksLimit ?? null,
      beyondNoise: psi > psiLimit,
    },
  ];
}

const excess = ({ psi, psiLimit }: DriftView): number => psi - psiLimit;

function fromDataset(metric: MetricDocument, { dataset }: DriftReference): Found | undefined {
  const counts = dataset?.counts[metric.name];
  if (counts === undefined || metric.kind !== "histogram") return undefined;
  // An earlier plan may have had other bins.
  if (counts.length !== metric.edges.length + 1) return undefined;
  return {
    histogram: createHistogram(metric, Float64Array.from(counts)),
    source: "dataset",
    roundId: null,
    version: null,
  };
}

function fromFirst(
  metric: MetricDocument,
  { roundId }: MeasurementRecord,
  { first }: DriftReference,
): Found | undefined {
  if (first === undefined || first.roundId === roundId || metric.kind !== "histogram") return undefined;
  const histogram = histogramsOf(first)[metric.name];
  const edges = histogram?.bins.edges;
  if (histogram === undefined || edges?.length !== metric.edges.length) return undefined;
  if (metric.edges.some((edge, i) => edge !== edges[i])) return undefined;
  return { histogram, source: "measurement", roundId: first.roundId, version: first.version };
}

/** What was counted in bins, by the metric's name. */
export function histogramsOf({ metrics, sums }: MeasurementRecord): Readonly<Record<string, Histogram>> {
  return readMetrics(metricSchemaOf(metrics), Float64Array.from(sums)).histograms;
}
