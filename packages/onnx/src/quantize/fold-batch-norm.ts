import { attributesOf, floatAttribute, intAttribute } from "../ir/attributes.ts";
import type { Graph, Node, TensorValue } from "../ir/model.ts";
import { floatTensor, floatValues } from "../ir/tensor-value.ts";
import {
  floatConstant,
  freshName,
  indexGraph,
  isOp,
  onlyReader,
  valueNames,
  type GraphIndex,
} from "./readers.ts";

/**
 * Folds inference batch norms into the Conv, Gemm or MatMul before them: w' = w·γ/√(σ²+ε) for each output
 * channel, b' = (b − µ)·γ/√(σ²+ε) + β. Computed in float64. A weight that something else reads too is copied.
 */
export function foldBatchNorms(graph: Graph): Graph {
  let current = graph;
  // Each fold changes what the next one sees; models have few enough to index again.
  for (const node of graph.nodes) {
    if (isOp(node, "BatchNormalization")) current = foldOne(current, node) ?? current;
  }
  return current;
}

interface Affine {
  readonly factor: Float64Array;
  readonly mean: Float32Array;
  readonly beta: Float32Array;
}

function foldOne(graph: Graph, norm: Node): Graph | undefined {
  const index = indexGraph(graph);
  const affine = affineOf(index, norm);
  const before = index.makers.get(norm.inputs[0] ?? "");
  if (affine === undefined || !isOp(before, "Conv", "Gemm", "MatMul")) return undefined;
  if (onlyReader(index, norm.inputs[0]!) !== norm) return undefined;
  const weight = floatConstant(index, before.inputs[1]);
  const hasBias = (before.inputs[2] ?? "") !== "";
  const bias = hasBias ? floatConstant(index, before.inputs[2]) : undefined;
  if (weight === undefined || (hasBias && bias === undefined)) return undefined;
  const channels = affine.factor.length;
  const axis = channelAxis(before, weight);
  if (axis === undefined || weight.dims[axis] !== channels) return undefined;
  const start = biasValues(before, bias, channels);
  if (start === undefined) return undefined;

  const taken = valueNames(graph);
  const scaled: TensorValue = {
    ...floatTensor(
      freshName(taken, `${weight.name}.folded`),
      weight.dims,
      scaleChannels(weight, axis, affine.factor),
    ),
  };
  const shifted = floatTensor(
    freshName(taken, `${bias?.name ?? weight.name}.folded_bias`),
    [channels],
    Array.from(affine.factor, (f, i) => (start[i]! - affine.mean[i]!) * f + affine.beta[i]!),
  );
  const [output] = norm.outputs;
  const nodes = graph.nodes.flatMap((node): Node[] => {
    if (node === norm) return [];
    if (node !== before) return [node];
    if (before.opType !== "MatMul") {
      return [
        {
          ...before,
          inputs: [before.inputs[0]!, scaled.name, shifted.name],
          outputs: [output!],
          attributes: withoutBeta(before),
        },
      ];
    }
    const product = freshName(taken, `${output}.product`);
    return [
      { ...before, inputs: [before.inputs[0]!, scaled.name], outputs: [product] },
      {
        name: "",
        opType: "Add",
        domain: "",
        inputs: [product, shifted.name],
        outputs: [output!],
        attributes: attributesOf({}),
      },
    ];
  });
  const initializers = [...graph.initializers, scaled, shifted];
  return { ...graph, nodes, initializers };
}

function affineOf(index: GraphIndex, norm: Node): Affine | undefined {
  const [scale, beta, mean, variance] = norm.inputs.slice(1, 5).map((name) => floatConstant(index, name));
  if (!scale || !beta || !mean || !variance) return undefined;
  const epsilon = floatAttribute(norm, "epsilon", 1e-5);
  const [gamma, sigma2] = [floatValues(scale), floatValues(variance)];
  const factor = Float64Array.from(gamma, (g, i) => g / Math.sqrt(sigma2[i]! + epsilon));
  return { factor, mean: floatValues(mean), beta: floatValues(beta) };
}

/** The axis of a weight that counts output channels; undefined where the fold does not apply. */
function channelAxis(node: Node, weight: TensorValue): number | undefined {
  if (node.opType === "Conv") return 0;
  if (weight.dims.length !== 2) return undefined;
  if (node.opType === "MatMul") return 1;
  return intAttribute(node, "transB", 0) === 1 ? 0 : 1;
}

/** The bias as it counts (times Gemm's beta), one value a channel. */
function biasValues(node: Node, bias: TensorValue | undefined, channels: number): Float64Array | undefined {
  if (bias === undefined) return new Float64Array(channels);
  const values = floatValues(bias);
  const rows = bias.dims.slice(0, -1).every((dim) => dim === 1);
  if (!rows || (values.length !== channels && values.length !== 1)) return undefined;
  const beta = node.opType === "Gemm" ? floatAttribute(node, "beta", 1) : 1;
  return Float64Array.from({ length: channels }, (_, i) => beta * values[values.length === 1 ? 0 : i]!);
}

function withoutBeta(node: Node): Node["attributes"] {
  return new Map([...node.attributes].filter(([name]) => name !== "beta"));
}

function scaleChannels(weight: TensorValue, axis: number, factor: Float64Array): Float32Array {
  const values = floatValues(weight);
  const inner = weight.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const channels = factor.length;
  for (let i = 0; i < values.length; i++) values[i]! *= factor[Math.floor(i / inner) % channels]!;
  return values;
}
