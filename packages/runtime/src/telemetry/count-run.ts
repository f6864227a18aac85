import { toFailure } from "@tributary/core";
import type { Feeds } from "@tributary/engine";
import {
  count,
  readFeatures,
  record,
  TELEMETRY_ENGINES,
  TELEMETRY_ERRORS,
  type Feature,
  type MetricSchema,
} from "@tributary/metrics";
import type { Answer } from "../feedback/feedback.ts";
import type { Inference, ModelState } from "../runtime.ts";
import type { StoredExample } from "../store/device-store.ts";

// What happened, as coordinates of a vector. A schema has what a plan may ask of its model; of anything else nothing is counted.

/** A vector, and what it counts. */
export interface Counted {
  readonly schema: MetricSchema;
  readonly vector: Float64Array<ArrayBuffer>;
}

/** What is added for a run that was answered. */
export function countRun(
  counted: Counted,
  { engine }: Pick<ModelState, "engine">,
  inference: Inference,
): void {
  const { schema, vector } = counted;
  count(schema, vector, "runs" as never);
  if ((TELEMETRY_ENGINES as readonly string[]).includes(engine)) {
    observe(counted, `latency.${engine}`, inference.durationMs);
  }
  const { classes, probabilities } = inference;
  if (schema.specs["predictions"] === undefined || classes.length === 0) return;
  const width = probabilities.length / classes.length;
  for (const [row, predicted] of classes.entries()) {
    observe(counted, "predictions", predicted);
    observe(counted, "confidence", probabilities[row * width + predicted]!);
  }
}

/** What a run was asked: each example once in the histogram of each feature. */
export function countFeatures(
  counted: Counted,
  features: ReadonlyMap<string, readonly Feature[]>,
  feeds: Feeds,
): void {
  for (const [input, own] of features) {
    const fed = feeds[input];
    const rows = fed?.shape[0] ?? 0;
    for (let row = 0; row < rows; row++) {
      const width = fed!.data.length / rows;
      readFeatures(own, fed!.data, { row, width }, ({ metric }, value) => observe(counted, metric, value));
    }
  }
}

/** A run that failed. */
export function countFailure({ schema, vector }: Counted, error: unknown): void {
  const { code } = toFailure(error);
  const name = (TELEMETRY_ERRORS as readonly string[]).includes(code) ? code : "other";
  count(schema, vector, `errors.${name}` as never);
}

/** Labels of examples that were added. */
export function countLabels(counted: Counted, examples: readonly Pick<StoredExample, "label">[]): void {
  for (const { label } of examples) if (typeof label === "number") observe(counted, "labels", label);
}

/** Which of an answer's classes were right. */
export function countFeedback(
  { schema, vector }: Counted,
  { classes }: Answer,
  labels: readonly number[],
): void {
  if (schema.specs["feedback.answers"] === undefined) return;
  count(schema, vector, "feedback.answers" as never, labels.length);
  const right = labels.filter((label, row) => label === classes[row]).length;
  count(schema, vector, "feedback.correct" as never, right);
}

/** Counts a value where the schema has such a histogram; NaN is none. */
export function observe({ schema, vector }: Counted, name: string, value: number): void {
  if (schema.specs[name] !== undefined && !Number.isNaN(value)) record(schema, vector, name as never, value);
}
