import type { Node } from "../ir/model.ts";
import { int64Tensor } from "../ir/tensor-value.ts";
import type { QuantizeOptions } from "./options.ts";
import type { QuantizedTensor } from "./quantize-tensor.ts";
import { quantizeWeight } from "./quantize-weight.ts";
import { Rewriter } from "./rewriter.ts";
import { frozenWeight, type Scheme } from "./scheme.ts";
import { transposed } from "./transpose-weights.ts";
import { elementsOf, linearSites, type LinearSite } from "./weight-site.ts";

const WEIGHT_TYPE = "uint8";

/** Integer weights and activations; the range of an activation is measured at every run, so no calibration. */
export const int8Dynamic: Scheme = ({ graph }, options) => {
  const { exclude = [] } = options;
  const sites = new Map(
    linearSites(graph, exclude)
      .filter(({ readers }) => readers.length === 1)
      .map((site) => [site.node, site]),
  );
  const rewriter = new Rewriter(graph);
  const weights = new Map<string, QuantizedTensor>();
  const measured = new Map<string, readonly [string, string, string]>();
  for (const node of graph.nodes) {
    const site = sites.get(node);
    if (site === undefined) {
      rewriter.nodes.push(node);
      continue;
    }
    const input = node.inputs[0]!;
    const activation = measured.get(input) ?? measure(rewriter, input);
    measured.set(input, activation);
    const { weight } = site;
    const quantized = quantizeUnsigned(site, options);
    weights.set(weight.name, quantized);
    multiplyIntegers(rewriter, site, quantized, activation);
  }
  const kept = graph.initializers.filter(({ name }) => !weights.has(name));
  return {
    graph: { ...graph, nodes: rewriter.nodes, initializers: [...kept, ...rewriter.initializers] },
    weights,
    reports: Array.from(weights.values(), ({ report }) => report),
  };
};

/**
 * Unsigned: ConvInteger takes no int8, and with it MatMulInteger saturates on x86 without VNNI. Channels share a zero
 * point of 128, as integer kernels want it; a weight with one scale may have its own, which fits it better for free.
 */
function quantizeUnsigned(site: LinearSite, options: QuantizeOptions): QuantizedTensor {
  const around = quantizeWeight(site, options, { type: WEIGHT_TYPE, symmetric: true });
  const { symmetric, perChannel } = options;
  const frozen = frozenWeight(options, site.weight.name) !== undefined;
  if (frozen || symmetric === true || (symmetric === undefined && around.scales.length > 1)) return around;
  if (symmetric === false && perChannel === true) {
    throw new TypeError(
      "quantize: int8-dynamic has one zero point for all channels; symmetric: false goes with perChannel: false only",
    );
  }
  return quantizeWeight(site, { ...options, perChannel: false }, { type: WEIGHT_TYPE, symmetric: false });
}

/** DynamicQuantizeLinear: the integers, their scale and their zero point. */
function measure(rewriter: Rewriter, input: string): readonly [string, string, string] {
  const outputs = ["integers", "range_scale", "range_zero"].map((part) => rewriter.name(`${input}.${part}`));
  const node: Node = {
    name: "",
    opType: "DynamicQuantizeLinear",
    domain: "",
    inputs: [input],
    outputs,
    attributes: new Map(),
  };
  rewriter.nodes.push(node);
  return [outputs[0]!, outputs[1]!, outputs[2]!];
}

function multiplyIntegers(
  rewriter: Rewriter,
  site: LinearSite,
  quantized: QuantizedTensor,
  [integers, scale, zero]: readonly [string, string, string],
): void {
  const { node, weight, bias, axis } = site;
  const [output] = node.outputs;
  const conv = node.opType === "Conv";
  const channels = weight.dims[axis]!;
  const spread = conv ? weight.dims.slice(2).map(() => 1) : [];
  const perChannel = quantized.scales.length > 1;
  const scaleShape = !perChannel ? [] : conv ? [1, channels, ...spread] : [channels];
  const byColumns = conv || axis === 1;
  const dims = byColumns ? weight.dims : [weight.dims[1]!, weight.dims[0]!];
  const ordered = byColumns
    ? quantized.integers
    : transposed(quantized.integers, weight.dims[0]!, weight.dims[1]!);
  const stored = rewriter.bytes(`${weight.name}.${WEIGHT_TYPE}`, WEIGHT_TYPE, dims, ordered);
  const weightZero = rewriter.zeroPoint(WEIGHT_TYPE, [], [quantized.zeroPoints[0]!]);
  const product = conv
    ? rewriter.name(`${output}.integers`)
    : rewriter.op("MatMulInteger", [integers, stored, zero, weightZero], rewriter.name(`${output}.integers`));
  if (conv) {
    rewriter.nodes.push({
      ...node,
      opType: "ConvInteger",
      inputs: [integers, stored, zero, weightZero],
      outputs: [product],
    });
  }
  const floats = rewriter.op("Cast", [product], rewriter.name(`${output}.float`), { to: 1 });
  const weightScale = rewriter.floats(`${weight.name}.scale`, scaleShape, quantized.scales);
  const step = rewriter.op("Mul", [scale, weightScale], rewriter.name(`${output}.step`));
  if (bias === undefined) {
    rewriter.op("Mul", [floats, step], output!);
    return;
  }
  const scaled = rewriter.op("Mul", [floats, step], rewriter.name(`${output}.scaled`));
  rewriter.op("Add", [scaled, conv ? spreadBias(rewriter, site, spread) : bias.name], output!);
}

/** A Conv's bias as [C, 1, 1], which broadcasts over the positions. */
function spreadBias(rewriter: Rewriter, { bias }: LinearSite, spread: readonly number[]): string {
  const shape = [elementsOf(bias!), ...spread];
  return rewriter.op(
    "Reshape",
    [bias!.name, rewriter.constant(int64Tensor(rewriter.name(`${bias!.name}.shape`), [shape.length], shape))],
    rewriter.name(`${bias!.name}.spread`),
  );
}
