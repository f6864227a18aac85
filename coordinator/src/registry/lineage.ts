import { encodeUtf8, sha256 } from "@tributary/core";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import { shareInterval } from "@tributary/metrics";
import {
  canonicalText,
  type AuditActor,
  type GraphPort,
  type JsonDocument,
  type Lineage,
  type LineageCohort,
  type TrainingGraphDocument,
} from "@tributary/protocol";
import type { ModelRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { VERSION } from "../version.ts";

/** Of the bounds of what was measured on held-out data. */
const CONFIDENCE = 0.95;

const NO_NOISE = "no noise was added: nothing bounds what a version may tell of single examples";
const NOT_LEARNED = "it was published: what its publisher learned it from is not known here";

/** Of a version that an operator publishes. */
export function publishedLineage(model: ModelRecord, by: AuditActor): Lineage {
  return {
    madeBy: { kind: "operator", via: by.kind === "operator" ? by.via : "process" },
    cohorts: [],
    evaluation: null,
    intervals: {},
    privacy: { epsilon: null, reason: NOT_LEARNED, secureAggregation: null, maxUpdateNorm: null },
    code: { coordinator: VERSION },
    dataSchema: dataSchema(model, null),
  };
}

export interface TrainedFrom {
  readonly model: ModelRecord;
  readonly task: TaskRecord;
  /** What of its plan's graph is fed of examples. */
  readonly training: Pick<TrainingGraphDocument, "labels" | "moreLabels" | "labelNames" | "loop">;
  readonly cohorts: readonly LineageCohort[];
  /** On held-out data; undefined where the task names none. */
  readonly measured: EvaluationResult | undefined;
}

/** Of a version that the devices of a task trained. */
export function trainedLineage({ model, task, training, cohorts, measured }: TrainedFrom): Lineage {
  const { plan, spec } = task;
  const { dataset } = spec.evaluation;
  const { mode, minimumCohort } = spec.secureAggregation;
  return {
    madeBy: { kind: "task", task: task.name, plan: { number: plan.number, digest: plan.digest } },
    cohorts,
    evaluation: measured && dataset !== null ? { dataset, examples: measured.examples } : null,
    intervals: measured === undefined ? {} : intervalsOf(measured, spec.metrics),
    privacy: {
      epsilon: null,
      reason: NO_NOISE,
      secureAggregation: mode === "on" ? { minimumCohort } : null,
      maxUpdateNorm: spec.maxUpdateNorm,
    },
    code: { coordinator: VERSION },
    dataSchema: dataSchema(model, labelsOf(training)),
  };
}

/** Of accuracy, and of what counts hits among the first k: both are shares of the examples. */
function intervalsOf(
  { accuracy, metrics, examples }: EvaluationResult,
  specs: TaskRecord["spec"]["metrics"],
): Lineage["intervals"] {
  const shares = new Map<string, number>(accuracy === null ? [] : [["accuracy", accuracy]]);
  const hits = specs.flatMap(({ kind, k }) => (kind === "topK" ? [`top${k}`] : []));
  for (const [name, [value, ...rest]] of Object.entries(metrics))
    if (
      value !== undefined &&
      rest.length === 0 &&
      hits.some((hit) => name === hit || name.endsWith(`.${hit}`))
    )
      shares.set(name, value);
  return Object.fromEntries(
    [...shares].map(([name, share]) => [
      name,
      { ...shareInterval(share, examples, CONFIDENCE), confidence: CONFIDENCE },
    ]),
  );
}

/** What examples call their labels, where that has another name than the graph's inputs. */
function labelsOf({
  labels,
  moreLabels = [],
  labelNames,
  loop,
}: TrainedFrom["training"]): readonly GraphPort[] {
  // Of several steps, and of a batch.
  const axes = loop === undefined ? 1 : 2;
  return [labels, ...moreLabels].map((port, i) => ({
    ...port,
    name: labelNames?.[i] ?? port.name,
    shape: [-1, ...port.shape.slice(axes)],
  }));
}

/** What goes in and comes out; its digest also covers what the classes are called. */
function dataSchema(
  { inputs, outputs, labels: classes }: Pick<ModelRecord, "inputs" | "outputs" | "labels">,
  labels: readonly GraphPort[] | null,
): Lineage["dataSchema"] {
  const said = { inputs, outputs, labels, classes } as unknown as JsonDocument;
  return {
    digest: sha256(encodeUtf8(canonicalText(said))),
    inputs,
    outputs,
    labels,
    classes: classes?.length ?? null,
  };
}
