import { createHistogram, observe, quantileBins, telemetrySpecs, type MetricSpec } from "@tributary/metrics";
import {
  TELEMETRY_GROUPS,
  type GraphPort,
  type MeasurementPlan,
  type MetricDocument,
  type TaskSpec,
  type TelemetryReference,
} from "@tributary/protocol";
import { invalidTask } from "./training-options.ts";

/** What a data set holds, example by example. */
export interface ReferenceValues extends Pick<TelemetryReference, "dataset" | "examples"> {
  /** By the metric's name, of each feature of the model. */
  readonly features: ReadonlyMap<string, Float64Array>;
  /** Classes; undefined where the data set has numbers, or labels of several outputs. */
  readonly labels: Int32Array | undefined;
}

type TelemetryContent = Pick<
  Extract<MeasurementPlan, { readonly kind: "telemetry" }>,
  "metrics" | "reference"
>;

/** Of one bin or counter of telemetry; a device tells no more of one round. */
const MAX_TELEMETRY_COUNT = 65_535;

/**
 * What devices count for a task, and what the training population looks like in the same bins: those of features are quantiles of it.
 *
 * @throws `coordinator/invalid-task` for what the model has nothing of
 */
export function telemetryContent(
  spec: TaskSpec,
  { inputs, outputs }: { readonly inputs: readonly GraphPort[]; readonly outputs: readonly GraphPort[] },
  reference: ReferenceValues | undefined,
): TelemetryContent {
  const groups = spec.telemetry.length === 0 ? TELEMETRY_GROUPS : spec.telemetry;
  const output = outputs.find(({ dtype }) => dtype === "float32");
  const classes = output?.shape.length === 2 ? output.shape[1]! : 0;
  const specs = telemetrySpecs(groups, { classes, inputs }, (metric) => {
    const values = reference?.features.get(metric);
    return values && quantileBins(values);
  });
  const lacking = spec.telemetry.find((group) =>
    Object.keys(specs).every((name) => name.split(".")[0] !== group),
  );
  if (lacking !== undefined) {
    throw invalidTask(
      spec,
      "/telemetry",
      lacking === "features"
        ? `"features" needs a model with an input of numbers`
        : `"${lacking}" needs a model with classes as its first float32 output`,
    );
  }
  return {
    metrics: Object.entries(specs).map(([name, metric]) => telemetryDocument(name, metric)),
    ...(reference === undefined ? {} : { reference: referenceOf(reference, specs) }),
  };
}

function referenceOf(
  { dataset, examples, features, labels }: ReferenceValues,
  specs: Readonly<Record<string, MetricSpec>>,
): TelemetryReference {
  const counts: Record<string, readonly number[]> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const values = name === "labels" ? labels : features.get(name);
    if (spec.kind !== "histogram" || values === undefined) continue;
    const histogram = createHistogram(spec.bins);
    for (const value of values) if (!Number.isNaN(value)) observe(histogram, value);
    counts[name] = Array.from(histogram.counts);
  }
  return { dataset, examples, counts };
}

function telemetryDocument(name: string, metric: MetricSpec): MetricDocument {
  const maximum = MAX_TELEMETRY_COUNT;
  if (metric.kind === "counter") return { name, kind: "counter", values: "integer", minimum: 0, maximum };
  return { name, kind: "histogram", edges: metric.bins.edges, spacing: metric.bins.spacing, maximum };
}
