import {
  TFJS_LOSSES,
  type GraphPort,
  type LossSpec,
  type TaskSpec,
  type TfjsLoss,
  type TfjsLossKind,
  type TfjsMetric,
  type TfjsModelDocument,
} from "@tributary/protocol";
import { invalidTask } from "../training-options.ts";
import { outputLayer } from "./topology.ts";

/** Names that plans of ONNX graphs have, too. */
const PREFIX = "tributary.";
export const LABELS = `${PREFIX}labels`;

/** As many as losses of ONNX graphs take. */
const MAX_CLASSES = 2 ** 18;

/** The losses of a task on a model, and what they read. */
export interface PlannedLosses {
  readonly losses: readonly TfjsLoss[];
  /** One for each loss. */
  readonly labels: readonly GraphPort[];
  readonly labelNames: readonly string[];
  readonly noHits: boolean;
  /** Outputs whose own softmax or sigmoid the losses take in, so that both are computed as one, stably. */
  readonly withoutActivation: readonly string[];
}

/** The loss that a model's first output looks made for. */
export function fittingTfjsLoss({ topology, outputs }: TfjsModelDocument): TfjsLossKind {
  const [output] = outputs;
  if (output === undefined) return "mse";
  const { activation } = outputLayer(topology, output.name) ?? {};
  if (activation === "sigmoid") return "sigmoid-cross-entropy";
  return activation === "softmax" || fitsClasses(output) ? "softmax-cross-entropy" : "mse";
}

/** @throws `coordinator/invalid-task` */
export function plannedLosses(task: TaskSpec, model: TfjsModelDocument, batchSize: number): PlannedLosses {
  const specs = [task.loss, ...task.moreLosses];
  const isOnly = specs.length === 1 && (specs[0]!.weight ?? 1) === 1;
  const planned = specs.map((loss, i) => {
    const path = i === 0 ? "/loss" : `/moreLosses/${i - 1}`;
    const kind = kindOf(task, loss, path);
    const output = outputOf(task, model, { ...loss, kind }, path);
    const head = headOf(task, model, { kind, output: output.name }, path);
    const port: GraphPort = {
      name: isOnly ? LABELS : `${LABELS}.${output.name}`,
      dtype: kind === "softmax-cross-entropy" ? "int32" : "float32",
      shape: kind === "softmax-cross-entropy" ? [batchSize] : [batchSize, ...output.shape.slice(1)],
    };
    const { labelSmoothing, classWeights, delta, weight = 1 } = loss;
    if (classWeights !== undefined && classWeights.length !== output.shape[1]) {
      throw invalidTask(
        task,
        `${path}/classWeights`,
        `${classWeights.length} for ${output.shape[1]} classes of "${output.name}"`,
      );
    }
    const own: TfjsLoss = {
      kind,
      output: output.name,
      labels: port.name,
      weight,
      ...(labelSmoothing === undefined ? {} : { labelSmoothing }),
      ...(classWeights === undefined ? {} : { classWeights }),
      ...(delta === undefined ? {} : { delta }),
    };
    return { own, port, head };
  });
  const names = planned.map(({ own }) => own.output);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw invalidTask(task, "/moreLosses", `two are put on the output "${twice}"`);
  return {
    losses: planned.map(({ own }) => own),
    labels: planned.map(({ port }) => port),
    labelNames: names,
    noHits: planned.every(({ own }) => !knowsHits(own.kind)),
    withoutActivation: planned.flatMap(({ own, head }) => (head ? [own.output] : [])),
  };
}

export function knowsHits(kind: TfjsLossKind): boolean {
  return kind === "softmax-cross-entropy" || kind === "sigmoid-cross-entropy";
}

/** Outputs of an evaluation besides the loss and the hits. */
export interface PlannedMetric {
  readonly name: string;
  readonly shape: readonly number[];
  readonly metric: TfjsMetric;
}

/** @throws `coordinator/invalid-task` for a metric that goes with none of the losses */
export function plannedMetrics(
  task: TaskSpec,
  { losses }: PlannedLosses,
  { outputs }: TfjsModelDocument,
): readonly PlannedMetric[] {
  const isOnly = losses.length === 1 && losses[0]!.weight === 1;
  const planned: PlannedMetric[] = [];
  const add = (name: string, shape: readonly number[], metric: Omit<TfjsMetric, "output">): void => {
    if (planned.some((each) => each.name === name)) return;
    planned.push({ name, shape, metric: { ...metric, output: `${PREFIX}metric.${name}` } });
  };
  for (const [loss, { kind, output }] of losses.entries()) {
    const { shape } = outputs.find(({ name }) => name === output)!;
    const size = shape.slice(1).reduce((product, each) => product * each, 1);
    const prefix = isOnly ? "" : `${output}.`;
    if (!isOnly) add(`${output}.loss`, [], { kind: "loss", loss });
    for (const { kind: wanted, k } of task.metrics) {
      if (wanted === "topK" && kind === "softmax-cross-entropy") {
        const most = shape[1]!;
        if (k === undefined || k > most) throw invalidTask(task, "/metrics", `topK: k is 1 to ${most}`);
        add(`${prefix}top${k}`, [], { kind: "topK", loss, k });
      } else if (wanted === "confusion" && kind === "softmax-cross-entropy") {
        add(`${prefix}confusion`, [shape[1]!, shape[1]!], { kind: "confusion", loss });
      } else if (wanted === "confusion" && kind === "sigmoid-cross-entropy") {
        add(`${prefix}confusion`, [size, 2, 2], { kind: "confusion", loss });
      } else if (wanted === "mae" && !knowsHits(kind)) {
        add(`${prefix}mae`, [], { kind: "mae", loss });
      }
    }
  }
  const missing = task.metrics.find(({ kind }) => !planned.some(({ metric }) => metric.kind === kind));
  if (missing !== undefined) {
    throw invalidTask(task, "/metrics", `${missing.kind} does not go with the loss ${losses[0]!.kind}`);
  }
  return planned;
}

function kindOf(task: TaskSpec, { kind }: LossSpec, path: string): TfjsLossKind {
  const known = TFJS_LOSSES.find((each) => each === kind);
  if (known !== undefined) return known;
  if (kind === "auto") throw new TypeError("registry: auto is replaced before");
  const problem = `"${kind}" is an ONNX graph, which TensorFlow.js does not run; use one of ${TFJS_LOSSES.join(", ")}`;
  throw invalidTask(task, `${path}/kind`, problem);
}

function fitsClasses({ shape }: GraphPort): boolean {
  return shape.length === 2 && shape[1]! >= 2 && shape[1]! <= MAX_CLASSES;
}

/** The output named, or the first that the loss fits. */
function outputOf(
  task: TaskSpec,
  { outputs }: TfjsModelDocument,
  { kind, output: wanted }: LossSpec,
  path: string,
): GraphPort {
  const isSoftmax = kind === "softmax-cross-entropy";
  const found = outputs.find(
    (port) =>
      (wanted === undefined || port.name === wanted) &&
      port.dtype === "float32" &&
      port.shape.length > 0 &&
      port.shape.slice(1).every((size) => size > 0) &&
      (!isSoftmax || fitsClasses(port)),
  );
  if (found !== undefined) return found;
  const called = wanted === undefined ? "" : ` called "${wanted}"`;
  const needed = isSoftmax ? "[batch, classes], two classes at least" : "[batch, …]";
  const there = outputs.map(({ name, shape }) => `"${name}" [${shape.join()}]`).join(", ");
  throw invalidTask(task, `${path}/output`, `no output${called} of shape ${needed}; there is ${there}`);
}

/** Whether the output ends with what the loss takes in. */
function headOf(
  task: TaskSpec,
  { topology }: TfjsModelDocument,
  { kind, output }: { readonly kind: TfjsLossKind; readonly output: string },
  path: string,
): boolean {
  const layer = outputLayer(topology, output);
  const taken = kind === "softmax-cross-entropy" ? "softmax" : "sigmoid";
  if (!knowsHits(kind) || layer?.activation !== taken) return false;
  if (!layer.isReadElsewhere) return true;
  const problem = `the ${taken} of "${output}" is read by other layers, too; give it a layer of its own`;
  throw invalidTask(task, path, problem);
}
