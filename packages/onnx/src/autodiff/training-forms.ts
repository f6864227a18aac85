import { failure } from "@tributary/core";
import { floatAttribute, nodeLabel } from "../ir/attributes.ts";
import { inferenceBatchNorm, isTrainingBatchNorm } from "../ir/batch-norm.ts";
import type { ShapeTable } from "../ir/fact.ts";
import { GraphBuilder, RESERVED_PREFIX } from "../ir/graph-builder.ts";
import type { Graph, Node, TensorValue } from "../ir/model.ts";
import { floatValues } from "../ir/tensor-value.ts";
import { SAMPLE_WEIGHTS } from "./reserved-names.ts";
import { calculator } from "./rules/calculator.ts";

/** What a graph is built for: a step of training, or a look at the loss. */
export type GraphPurpose = "train" | "evaluate";

/** A mask that the runner draws anew for every batch. */
export interface DropoutMask {
  /** Graph input: float32, 1 where a value is kept and 0 where it is dropped. */
  readonly input: string;
  readonly shape: readonly number[];
  /** Share of zeros, from 0 to below 1. The graph itself scales what is kept by 1 / (1 - ratio). */
  readonly ratio: number;
}

export interface TrainingForms {
  readonly graph: Graph;
  readonly dropouts: readonly DropoutMask[];
  /** Output with the new value of each running statistic, by the statistic's name. */
  readonly statistics: ReadonlyMap<string, string>;
}

/**
 * Writes out what only training does: batch normalizations whose running statistics are among the parameters normalize
 * by the batch and move the statistics, and a Dropout in training mode takes a mask. For evaluation both are as in
 * inference. `facts` must know every shape, `nodes` be sorted and constants initializers.
 * Errors: `onnx/unsupported-attribute`, `onnx/nothing-trainable`.
 */
export function trainingForms(
  graph: Graph,
  facts: ShapeTable,
  options: {
    readonly purpose: GraphPurpose;
    readonly batchSize: number;
    readonly parameters: ReadonlySet<string>;
  },
): TrainingForms {
  const { purpose, batchSize, parameters } = options;
  const builder = new GraphBuilder(facts, `${RESERVED_PREFIX}form.`);
  builder.declare(SAMPLE_WEIGHTS, { elementType: "float32", shape: [batchSize] });
  const constants = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const dropouts: DropoutMask[] = [];
  // A layer that is used twice moves its statistics twice.
  const moved = new Map<string, string>();
  for (const node of graph.nodes) {
    const isStandard = node.domain === "";
    if (isStandard && node.opType === "BatchNormalization") {
      const [mean, variance] = node.inputs.slice(3).map((name) => parameters.has(name));
      if (mean !== variance) {
        throw failure(
          "onnx/nothing-trainable",
          `onnx: ${nodeLabel(node)}: its running mean and variance ("${node.inputs[3]}", "${node.inputs[4]}") are trained together or not at all`,
        );
      }
      const byBatch = purpose === "train" && mean === true;
      if (byBatch) appendBatchNorm(builder, node, batchSize, moved);
      else
        for (const part of isTrainingBatchNorm(node) ? inferenceBatchNorm(node) : [node])
          builder.append(part);
    } else if (isStandard && node.opType === "Dropout") {
      const ratio = purpose === "train" ? trainingRatio(node, constants) : 0;
      if (ratio > 0) dropouts.push(appendDropout(builder, node, ratio));
      else builder.append(passing(node, constants));
    } else builder.append(node);
  }
  const statistics = new Map(
    [...moved].map(([name, value]) => {
      const output = `${RESERVED_PREFIX}updated.${name}`;
      return [name, builder.op("Identity", [value], {}, output)];
    }),
  );
  return {
    graph: { ...graph, nodes: builder.nodes, initializers: [...graph.initializers, ...builder.initializers] },
    dropouts,
    statistics,
  };
}

/**
 * Normalizes by mean and variance of the examples that have weight, and moves the running statistics towards them:
 * momentum · running + (1 - momentum) · batch (ONNX BatchNormalization-15; the variance divides by the count).
 */
function appendBatchNorm(
  builder: GraphBuilder,
  node: Node,
  batchSize: number,
  moved: Map<string, string>,
): void {
  const calc = calculator(builder);
  const [x, scale, bias, mean, variance] = node.inputs as [string, string, string, string, string];
  const shape = builder.shape(x);
  const axes = [...shape.keys()].filter((axis) => axis !== 1);
  const perChannel = shape.map((size, axis) => (axis === 1 ? size : 1));
  const each = shape.slice(2).reduce((product, size) => product * size, 1);
  const weighted = shape[0] === batchSize;
  const mask = weighted ? calc.where(calc.greater(SAMPLE_WEIGHTS, 0), 1, 0) : undefined;
  const found = mask === undefined ? calc.value(shape[0]!) : calc.sum(mask, [0]);
  const some = calc.where(calc.greater(found, 0), found, 1);
  const average = (value: string): string => {
    const shown =
      mask === undefined
        ? value
        : calc.mul(
            value,
            builder.reshape(
              mask,
              shape.map((size, axis) => (axis === 0 ? size : 1)),
            ),
          );
    return calc.div(calc.sum(shown, axes), calc.mul(some, each));
  };
  const batchMean = average(x);
  const centred = calc.sub(x, batchMean);
  const batchVariance = average(calc.square(centred));
  const deviation = calc.sqrt(calc.add(batchVariance, floatAttribute(node, "epsilon", 1e-5)));
  const factor = calc.div(builder.reshape(scale, perChannel), deviation);
  builder.op("Add", [calc.mul(centred, factor), builder.reshape(bias, perChannel)], {}, node.outputs[0]!);
  const momentum = floatAttribute(node, "momentum", 0.9);
  for (const [i, [name, value]] of [
    [mean, batchMean] as const,
    [variance, batchVariance] as const,
  ].entries()) {
    const before = moved.get(name) ?? name;
    const flat = builder.reshape(value, [shape[1]!]);
    const next = calc.add(calc.mul(before, momentum), calc.mul(flat, 1 - momentum));
    // A batch of padding alone moves nothing.
    const kept = calc.where(calc.greater(found, 0), next, before);
    moved.set(name, kept);
    const output = node.outputs[i + 1] ?? "";
    if (output !== "") builder.op("Identity", [kept], {}, output);
  }
}

/** The ratio of a Dropout in training mode; 0 where it lets everything pass. */
function trainingRatio(node: Node, constants: ReadonlyMap<string, TensorValue>): number {
  const [, ratioName = "", modeName = ""] = node.inputs;
  if (modeName === "" || constants.get(modeName)?.data[0] === 0) return 0;
  const refuse = (what: string): Error =>
    failure(
      "onnx/unsupported-attribute",
      `onnx: ${nodeLabel(node)}: ${what}; export it with a constant, or in evaluation mode`,
    );
  if (!constants.has(modeName)) throw refuse("its training mode is computed");
  if (ratioName === "") return 0.5;
  const tensor = constants.get(ratioName);
  if (tensor?.elementType !== "float32") throw refuse("its ratio is no float32 constant");
  const [ratio = Number.NaN] = floatValues(tensor);
  if (!(ratio >= 0 && ratio < 1)) throw refuse(`its ratio is ${ratio}, expected 0 to below 1`);
  return ratio;
}

function appendDropout(builder: GraphBuilder, node: Node, ratio: number): DropoutMask {
  const calc = calculator(builder);
  const [x] = node.inputs as [string];
  const [output, kept = ""] = node.outputs as [string, string?];
  const shape = builder.shape(x);
  const input = `${RESERVED_PREFIX}dropout.${output}`;
  builder.declare(input, { elementType: "float32", shape });
  builder.op("Mul", [x, calc.mul(input, 1 / (1 - ratio))], {}, output);
  if (kept !== "") builder.op("Greater", [input, builder.float(0)], {}, kept);
  return { input, shape, ratio };
}

/** A Dropout outside training mode, without the inputs that say so. */
function passing(node: Node, constants: ReadonlyMap<string, TensorValue>): Node {
  const isConstant = (node.inputs[2] ?? "") === "" || constants.has(node.inputs[2]!);
  return isConstant && (node.outputs[1] ?? "") === "" ? { ...node, inputs: node.inputs.slice(0, 1) } : node;
}
