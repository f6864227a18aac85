import { failure, toFailure } from "@tributary/core";
import {
  count,
  createMetrics,
  metricSchema,
  readMetrics,
  record,
  TELEMETRY_ENGINES,
  TELEMETRY_ERRORS,
  telemetrySpecs,
  type Histogram,
  type MetricSchema,
} from "@tributary/metrics";
import { metricSchemaOf } from "@tributary/federation";
import { TELEMETRY_GROUPS, type MetricDocument } from "@tributary/protocol";
import type { Inference, ModelState } from "../runtime.ts";
import type { StoredExample } from "../store/device-store.ts";

/** Versions that are remembered; of more the one that ran least recently is forgotten. */
const MAX_VERSIONS = 8;

/** What was counted of one version. */
interface Recorded {
  readonly model: string;
  readonly version: number;
  readonly schema: MetricSchema;
  readonly vector: Float64Array<ArrayBuffer>;
}

/** What was counted of one version, by name: see `telemetrySpecs`. */
export interface CountedVersion {
  readonly model: string;
  readonly version: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly histograms: Readonly<Record<string, Histogram>>;
}

/**
 * Counts how models run on this device, version by version, in memory. One counts for the page alone, from the start; another for
 * telemetry, only while there is consent to it: what a vector that leaves the device holds is taken off, so that nothing is told twice.
 */
export interface TelemetryRecorder {
  /** False also forgets everything. */
  setEnabled(enabled: boolean): void;
  /** Counts a run of a model. */
  ran(state: ModelState, inference: Inference): void;
  /** Counts a run that failed. */
  failed(state: ModelState, error: unknown): void;
  /** Counts the labels of examples that were added. */
  labelled(state: ModelState, examples: readonly StoredExample[]): void;
  /** What was counted of each version, in order of the last use; copies. */
  counted(): readonly CountedVersion[];
  /** Whether there is anything to tell of a model. */
  hasCounts(model: string): boolean;
  /**
   * What was counted of a version, as a plan lays it out; zeros for what this device does not count.
   *
   * @throws `federation/plan-refused` where a plan asks for it in other bins
   */
  read(model: string, version: number, metrics: readonly MetricDocument[]): Float64Array<ArrayBuffer>;
  /** Takes off what `read` gave. */
  spend(model: string, version: number, metrics: readonly MetricDocument[], told: Float64Array): void;
}

export function createTelemetryRecorder(onFirst: () => void): TelemetryRecorder {
  /** In order of the last use. */
  const versions = new Map<string, Recorded>();
  let enabled = false;

  const keyOf = (model: string, version: number): string => `${model} ${version}`;

  const recordedOf = (state: ModelState): Recorded => {
    const key = keyOf(state.model, state.version);
    const known = versions.get(key);
    const schema = known?.schema ?? metricSchema(telemetrySpecs(TELEMETRY_GROUPS, classesOf(state)));
    const { model, version } = state;
    const recorded = known ?? { model, version, schema, vector: createMetrics(schema) };
    versions.delete(key);
    versions.set(key, recorded);
    const [oldest] = versions.keys();
    if (versions.size > MAX_VERSIONS && oldest !== undefined) versions.delete(oldest);
    return recorded;
  };

  const counting = (state: ModelState, add: (recorded: Recorded) => void): void => {
    if (!enabled) return;
    const first = !has(state.model);
    add(recordedOf(state));
    if (first) onFirst();
  };

  const has = (model: string): boolean =>
    [...versions].some(([key, { vector }]) => key.startsWith(`${model} `) && vector.some((each) => each > 0));

  /** Calls back for each coordinate that plan and device both have. */
  const match = (
    { schema }: Recorded,
    metrics: readonly MetricDocument[],
    visit: (told: number, recorded: number) => void,
  ): void => {
    const asked = metricSchemaOf(metrics);
    for (const metric of metrics) {
      const own = schema.specs[metric.name];
      if (own === undefined) continue;
      const same =
        own.kind === "counter"
          ? metric.kind === "counter"
          : metric.kind === "histogram" && sameEdges(metric.edges, own.bins.edges);
      if (!same) {
        throw failure(
          "federation/plan-refused",
          `telemetry: the plan asks for "${metric.name}" in other bins`,
          {
            detail: { metric: metric.name },
          },
        );
      }
      const width = own.kind === "counter" ? 1 : own.bins.edges.length + 1;
      const [to, from] = [asked.offsets.get(metric.name)!, schema.offsets.get(metric.name)!];
      for (let i = 0; i < width; i++) visit(to + i, from + i);
    }
  };

  return {
    setEnabled(next) {
      if (enabled && !next) versions.clear();
      enabled = next;
    },
    ran(state, inference) {
      counting(state, (recorded) => addRun(recorded, state, inference));
    },
    failed(state, error) {
      counting(state, ({ schema, vector }) => count(schema, vector, errorName(error) as never));
    },
    labelled(state, examples) {
      counting(state, ({ schema, vector }) => {
        if (schema.specs["labels"] === undefined) return;
        for (const { label } of examples) {
          if (typeof label === "number") record(schema, vector, "labels" as never, label);
        }
      });
    },
    counted: () =>
      [...versions.values()].map(({ model, version, schema, vector }) => ({
        model,
        version,
        ...readMetrics(schema, vector),
      })),
    hasCounts: has,
    read(model, version, metrics) {
      const told = createMetrics(metricSchemaOf(metrics));
      const recorded = versions.get(keyOf(model, version));
      if (recorded !== undefined) match(recorded, metrics, (to, from) => (told[to] = recorded.vector[from]!));
      return told;
    },
    spend(model, version, metrics, told) {
      const recorded = versions.get(keyOf(model, version));
      if (recorded === undefined) return;
      match(recorded, metrics, (to, from) => {
        recorded.vector[from] = Math.max(0, recorded.vector[from]! - told[to]!);
      });
    },
  };
}

function addRun({ schema, vector }: Recorded, { engine }: ModelState, inference: Inference): void {
  count(schema, vector, "runs" as never);
  if ((TELEMETRY_ENGINES as readonly string[]).includes(engine)) {
    record(schema, vector, `latency.${engine}` as never, inference.durationMs);
  }
  const { classes, probabilities } = inference;
  if (schema.specs["predictions"] === undefined || classes.length === 0) return;
  const width = probabilities.length / classes.length;
  for (const [row, predicted] of classes.entries()) {
    record(schema, vector, "predictions" as never, predicted);
    const confidence = probabilities[row * width + predicted]!;
    if (!Number.isNaN(confidence)) record(schema, vector, "confidence" as never, confidence);
  }
}

function errorName(error: unknown): string {
  const { code } = toFailure(error);
  return `errors.${(TELEMETRY_ERRORS as readonly string[]).includes(code) ? code : "other"}`;
}

/** Columns of the first float32 output, where it has one row an example. */
function classesOf({ outputs }: ModelState): number {
  const output = outputs.find(({ dtype }) => dtype === "float32");
  return output?.shape.length === 2 ? output.shape[1]! : 0;
}

function sameEdges(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((edge, i) => edge === b[i]);
}
