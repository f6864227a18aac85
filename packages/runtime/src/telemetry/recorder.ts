import { failure, type Clock } from "@tributary/core";
import type { Feeds } from "@tributary/engine";
import {
  createMetrics,
  featuresOf,
  metricSchema,
  readMetrics,
  telemetrySpecs,
  type Bins,
  type Feature,
  type Histogram,
  type MetricSpec,
  type TelemetryModel,
} from "@tributary/metrics";
import { metricSchemaOf } from "@tributary/federation";
import { TELEMETRY_GROUPS, type MetricDocument } from "@tributary/protocol";
import type { Answer } from "../feedback/feedback.ts";
import type { Inference, ModelState } from "../runtime.ts";
import type { StoredExample } from "../store/device-store.ts";
import {
  countFailure,
  countFeatures,
  countFeedback,
  countLabels,
  countRun,
  observe,
  type Counted,
} from "./count-run.ts";

/** Versions that are remembered; of more the one that ran least recently is forgotten. */
const MAX_VERSIONS = 8;

/** What was counted of one version. */
interface Recorded extends Counted {
  readonly model: string;
  readonly version: number;
  readonly form: TelemetryModel;
  /** By the input that they are of. */
  readonly features: ReadonlyMap<string, readonly Feature[]>;
  /** The second that runs are counted of at present, and the examples that it answered. */
  second: number;
  answered: number;
}

/** What was counted of one version, by name: see `telemetrySpecs`. */
export interface CountedVersion {
  readonly model: string;
  readonly version: number;
  readonly counters: Readonly<Record<string, number>>;
  readonly histograms: Readonly<Record<string, Histogram>>;
}

/** What of a recorder follows what the models do. */
export interface RunCounter {
  /** Counts a run of a model, of what it was fed. */
  ran(state: ModelState, inference: Inference, feeds: Feeds): void;
  /** Counts a run that failed. */
  failed(state: ModelState, error: unknown): void;
  /** Counts the labels of examples that were added. */
  labelled(state: ModelState, examples: readonly StoredExample[]): void;
  /** Counts whether an answer, maybe of an earlier version, was right. */
  judged(state: ModelState, answer: Answer, labels: readonly number[]): void;
}

/**
 * Counts how models run on this device, version by version, in memory. One counts for the page alone, from the start; another for
 * telemetry, only while there is consent to it: what a vector that leaves the device holds is taken off, so that nothing is told twice.
 */
export interface TelemetryRecorder extends RunCounter {
  /** False also forgets everything. */
  setEnabled(enabled: boolean): void;
  /**
   * Counts features in a plan's bins from now on. What was counted in others is forgotten; of several tasks of a model, the one that
   * came first has its way.
   */
  follow(task: string, model: string, metrics: readonly MetricDocument[]): void;
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

export interface TelemetryRecorderOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Memory that the engine has reserved, where it is known. */
  readonly heapBytes: () => number | undefined;
  /** There is something to tell of a model, and was not before. */
  readonly onFirst: () => void;
}

/** Bins of a plan that a task asks for. */
interface Followed {
  readonly task: string;
  readonly bins: ReadonlyMap<string, Bins>;
}

export function createTelemetryRecorder(options: TelemetryRecorderOptions): TelemetryRecorder {
  const { clock, heapBytes, onFirst } = options;
  /** In order of the last use. */
  const versions = new Map<string, Recorded>();
  const followed = new Map<string, Followed>();
  let enabled = false;

  const keyOf = (model: string, version: number): string => `${model} ${version}`;

  const recordedOf = (state: ModelState): Recorded => {
    const { model, version } = state;
    const key = keyOf(model, version);
    const recorded = versions.get(key) ?? begin(model, version, formOf(state));
    versions.delete(key);
    versions.set(key, recorded);
    const [oldest] = versions.keys();
    if (versions.size > MAX_VERSIONS && oldest !== undefined) versions.delete(oldest);
    return recorded;
  };

  const begin = (model: string, version: number, form: TelemetryModel): Recorded => {
    const bins = followed.get(model)?.bins;
    const schema = metricSchema(telemetrySpecs(TELEMETRY_GROUPS, form, (metric) => bins?.get(metric)));
    const all = featuresOf(form.inputs);
    const features = new Map(
      form.inputs.map(({ name }) => [name, all.filter(({ input }) => input === name)] as const),
    );
    return { model, version, form, schema, features, vector: createMetrics(schema), second: 0, answered: 0 };
  };

  const counting = (state: ModelState, add: (recorded: Recorded) => void): void => {
    if (!enabled) return;
    const first = !has(state.model);
    add(recordedOf(state));
    if (first) onFirst();
  };

  const has = (model: string): boolean =>
    [...versions].some(([key, { vector }]) => key.startsWith(`${model} `) && vector.some((each) => each > 0));

  /** Counts the second that ended, where one did. */
  const endSecond = (recorded: Recorded): void => {
    const now = Math.floor(clock.monotonicMs() / 1000);
    if (now === recorded.second) return;
    if (recorded.answered > 0) {
      observe(recorded, "throughput", recorded.answered);
      observe(recorded, "memory", heapBytes() ?? NaN);
    }
    recorded.second = now;
    recorded.answered = 0;
  };

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
      if (enabled && !next) {
        versions.clear();
        followed.clear();
      }
      enabled = next;
    },
    follow(task, model, metrics) {
      const before = followed.get(model);
      if (!enabled || (before !== undefined && before.task !== task)) return;
      const bins = featureBins(metrics);
      const same = ([name, { edges }]: readonly [string, Bins]): boolean =>
        sameEdges(before?.bins.get(name)?.edges ?? [], edges);
      if (before?.bins.size === bins.size && [...bins].every(same)) return;
      followed.set(model, { task, bins });
      for (const [key, earlier] of versions) {
        if (earlier.model !== model) continue;
        const { second, answered } = earlier;
        const recorded = { ...begin(model, earlier.version, earlier.form), second, answered };
        carryOver(earlier, recorded);
        versions.set(key, recorded);
      }
    },
    ran(state, inference, feeds) {
      counting(state, (recorded) => {
        endSecond(recorded);
        recorded.answered += Math.max(1, inference.classes.length);
        countRun(recorded, state, inference);
        countFeatures(recorded, recorded.features, feeds);
      });
    },
    failed(state, error) {
      counting(state, (recorded) => countFailure(recorded, error));
    },
    labelled(state, examples) {
      counting(state, (recorded) => countLabels(recorded, examples));
    },
    judged(state, answer, labels) {
      counting({ ...state, version: answer.version }, (recorded) => countFeedback(recorded, answer, labels));
    },
    counted: () =>
      [...versions.values()].map((recorded) => {
        endSecond(recorded);
        const { model, version, schema, vector } = recorded;
        return { model, version, ...readMetrics(schema, vector) };
      }),
    hasCounts: has,
    read(model, version, metrics) {
      const told = createMetrics(metricSchemaOf(metrics));
      const recorded = versions.get(keyOf(model, version));
      if (recorded === undefined) return told;
      endSecond(recorded);
      match(recorded, metrics, (to, from) => (told[to] = recorded.vector[from]!));
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

/** Classes are columns of the first float32 output, where it has one row an example. */
function formOf({ inputs, outputs }: ModelState): TelemetryModel {
  const output = outputs.find(({ dtype }) => dtype === "float32");
  return { inputs, classes: output?.shape.length === 2 ? output.shape[1]! : 0 };
}

/** What both count in the same bins. */
function carryOver(from: Counted, to: Counted): void {
  for (const [name, spec] of Object.entries(to.schema.specs)) {
    const before = from.schema.specs[name];
    const at = from.schema.offsets.get(name);
    if (before === undefined || at === undefined || !sameBins(before, spec)) continue;
    const width = spec.kind === "counter" ? 1 : spec.bins.edges.length + 1;
    to.vector.set(from.vector.subarray(at, at + width), to.schema.offsets.get(name)!);
  }
}

function sameBins(a: MetricSpec, b: MetricSpec): boolean {
  if (a.kind === "counter" || b.kind === "counter") return a.kind === b.kind;
  return sameEdges(a.bins.edges, b.bins.edges);
}

function featureBins(metrics: readonly MetricDocument[]): ReadonlyMap<string, Bins> {
  return new Map(
    metrics.flatMap((metric) =>
      metric.kind === "histogram" && metric.name.startsWith("features.")
        ? [[metric.name, { edges: metric.edges, spacing: metric.spacing }] as const]
        : [],
    ),
  );
}

function sameEdges(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((edge, i) => edge === b[i]);
}
