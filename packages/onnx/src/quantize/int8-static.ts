import { failure } from "@tributary/core";
import type { Tensor } from "@tributary/tensor";
import type { Model, Node, TensorValue } from "../ir/model.ts";
import { floatValues, int32Tensor } from "../ir/tensor-value.ts";
import type { ActivationHistogram } from "./activation-histogram.ts";
import { activationGroups, MOVERS } from "./activation-groups.ts";
import { chooseRange, DEFAULT_PERCENTILE, type ActivationRange } from "./activation-range.ts";
import { gatherStatistics, type ActivationStatistics } from "./calibrate.ts";
import { inferenceForm } from "./inference-form.ts";
import { dequantizeWeight } from "./int8-weights.ts";
import type { QuantizationScale, QuantizeOptions, RunModel } from "./options.ts";
import { roundTiesToEven, scaleOf, type QuantizedTensor } from "./quantize-tensor.ts";
import { quantizeWeight } from "./quantize-weight.ts";
import { isOp } from "./readers.ts";
import { Rewriter } from "./rewriter.ts";
import type { Scheme } from "./scheme.ts";
import { transposeWeights } from "./transpose-weights.ts";
import { elementsOf, linearSites, type LinearSite } from "./weight-site.ts";

const NO_STATISTICS: ActivationStatistics = { histograms: new Map(), channelMeans: new Map() };
const LARGEST_INT32 = 2 ** 31 - 1;

interface StaticPlan {
  readonly model: Model;
  readonly sites: ReadonlyMap<Node, LinearSite>;
  /** Activations to quantize, each with the one whose range it takes. */
  readonly groups: ReadonlyMap<string, string>;
  readonly roots: readonly string[];
}

function planOf(form: Model, exclude: readonly string[]): StaticPlan {
  const model = { ...form, graph: transposeWeights(form.graph) };
  const sites = new Map(
    linearSites(model.graph, exclude)
      .filter(({ readers }) => readers.length === 1)
      .map((site) => [site.node, site]),
  );
  const groups = activationGroups(model.graph, sites);
  return { model, sites, groups, roots: [...new Set(groups.values())] };
}

/**
 * Counts the activations that "int8-static" quantizes, over examples that stay where they are; histograms from
 * several places add up with mergeHistograms. The names are those of the float model.
 */
export async function gatherHistograms(
  bytes: Uint8Array,
  options: {
    readonly run: RunModel;
    readonly examples: readonly Readonly<Record<string, Tensor>>[];
    readonly exclude?: readonly string[];
  },
): Promise<ReadonlyMap<string, ActivationHistogram>> {
  const { model, roots } = planOf(inferenceForm(bytes), options.exclude ?? []);
  return (await gatherStatistics(model, roots, options)).histograms;
}

/**
 * Integer weights and activations with fixed ranges, written as QuantizeLinear and DequantizeLinear around
 * float operators: portable, and fused to integer kernels where a runtime has them.
 */
export const int8Static: Scheme = async (form, options) => {
  const { model, sites, groups, roots } = planOf(form, options.exclude ?? []);
  const { graph } = model;
  const statistics = await statisticsFor(model, roots, options);
  const activations = new Map(roots.map((name) => [name, activationScale(name, statistics, options)]));
  const rewriter = new Rewriter(graph);
  const weights = new Map<string, QuantizedTensor>();
  const replaced = new Map<string, string>();
  const type = activationType(options);
  const bridge = (name: string): void => {
    const root = groups.get(name);
    if (root === undefined) return;
    const { scales, zeroPoints } = activations.get(root)!;
    const scale = rewriter.floats(`${root}.scale`, [], scales);
    const zero = rewriter.zeroPoint(type, [], zeroPoints);
    const integers = rewriter.op("QuantizeLinear", [name, scale, zero], rewriter.name(`${name}.${type}`));
    const floats = rewriter.op("DequantizeLinear", [integers, scale, zero], rewriter.name(`${name}.float`));
    replaced.set(name, floats);
  };
  for (const { name } of graph.inputs) bridge(name);
  for (const node of graph.nodes) {
    const site = sites.get(node);
    const inputs = node.inputs.map((name) => replaced.get(name) ?? name);
    if (site === undefined) {
      rewriter.nodes.push({ ...node, inputs });
    } else {
      const activation = activations.get(groups.get(node.inputs[0]!)!)!;
      const quantized = quantizeSite(site, activation, options);
      weights.set(site.weight.name, quantized);
      const name = rewriter.name(`${site.weight.name}.float`);
      // onnxruntime 1.30 fuses a Gemm only if its weight names a zero point, and a Conv in any case.
      const weight = dequantizeWeight(
        rewriter,
        site,
        quantized,
        weightType(options),
        name,
        node.opType === "Gemm",
      );
      const bias = quantizedBias(
        rewriter,
        site,
        quantized,
        activation,
        shiftOf(site, quantized, statistics, options),
      );
      rewriter.nodes.push({ ...node, inputs: [inputs[0]!, weight, ...bias] });
    }
    // What only moves integers needs no pair of its own: runtimes carry the one before it across.
    const moved = inputs.length > 0 && inputs[0] !== node.inputs[0] && isOp(node, ...MOVERS);
    for (const name of node.outputs) if (!moved) bridge(name);
  }
  const kept = graph.initializers.filter(({ name }) => !weights.has(name));
  return {
    graph: { ...graph, nodes: rewriter.nodes, initializers: [...kept, ...rewriter.initializers] },
    weights,
    activations,
    reports: Array.from(weights.values(), ({ report }) => report),
  };
};

function activationType({ symmetric }: QuantizeOptions): "int8" | "uint8" {
  return symmetric === true ? "int8" : "uint8";
}

/**
 * Unsigned, around 128: between uint8 activations and int8 weights the AVX2 kernels of onnxruntime (x86 without VNNI)
 * saturate in silence, between uint8 and uint8 they are exact, as every kernel is.
 */
function weightType({ symmetric }: QuantizeOptions): "int8" | "uint8" {
  return symmetric === true ? "int8" : "uint8";
}

function frozenActivation(options: QuantizeOptions, name: string): QuantizationScale | undefined {
  const frozen = options.frozenScales?.activations;
  return frozen !== undefined && Object.hasOwn(frozen, name) ? frozen[name] : undefined;
}

async function statisticsFor(
  model: Model,
  roots: readonly string[],
  options: QuantizeOptions,
): Promise<ActivationStatistics> {
  // Biases are corrected from the examples, so frozen ranges alone do not spare the runs where there are some.
  if (options.calibration !== undefined) return gatherStatistics(model, roots, options.calibration);
  const missing = roots.find((name) => frozenActivation(options, name) === undefined);
  if (missing === undefined) return NO_STATISTICS;
  throw failure(
    "onnx/needs-calibration",
    `onnx: int8-static needs the range of "${missing}"; give calibration examples, histograms or frozen scales, or use int8-weights, which needs none`,
  );
}

function activationScale(
  name: string,
  { histograms }: ActivationStatistics,
  options: QuantizeOptions,
): QuantizationScale {
  const frozen = frozenActivation(options, name);
  if (frozen !== undefined) return frozen;
  const range = rangeOf(name, histograms, options.calibration);
  const { scale, zeroPoint } = scaleOf(range, {
    type: activationType(options),
    symmetric: options.symmetric === true,
  });
  return { scales: [scale], zeroPoints: [zeroPoint] };
}

function rangeOf(
  name: string,
  histograms: ActivationStatistics["histograms"],
  calibration: QuantizeOptions["calibration"],
): ActivationRange {
  const given =
    calibration !== undefined && "ranges" in calibration ? calibration.ranges.get(name) : undefined;
  if (given !== undefined) return given;
  const histogram = histograms.get(name);
  if (histogram === undefined) {
    throw failure(
      "onnx/needs-calibration",
      `onnx: neither a histogram nor a range of the activation "${name}"`,
    );
  }
  const { method = "min-max", percentile = DEFAULT_PERCENTILE } = calibration ?? {};
  return chooseRange(histogram, method, percentile);
}

function quantizeSite(
  site: LinearSite,
  activation: QuantizationScale,
  options: QuantizeOptions,
): QuantizedTensor {
  const symmetric = options.symmetric !== false;
  const biases = site.bias === undefined ? new Float32Array(0) : floatValues(site.bias);
  const needed = Float64Array.from(biases, (bias) => Math.abs(bias) / activation.scales[0]! / LARGEST_INT32);
  const smallestScales = (groups: number): ArrayLike<number> =>
    groups === 1 ? [needed.reduce((a, b) => Math.max(a, b), 0)] : needed;
  // With zero points that differ by channel integer kernels do nothing.
  const perTensor = symmetric ? {} : { perChannel: false };
  return quantizeWeight(
    site,
    { ...options, ...perTensor },
    { type: weightType(options), symmetric, reducedRange: options.symmetric === true, smallestScales },
  );
}

/**
 * The mean error that rounding the weights makes in each output channel, to be taken off the bias: the sum over
 * inputs of mean activation times weight error (Nagel et al. 2019, section 4.2). Padding is not accounted for.
 */
function shiftOf(
  { node, weight, axis }: LinearSite,
  { integers, scales, zeroPoints }: QuantizedTensor,
  { channelMeans }: ActivationStatistics,
  { biasCorrection = true }: QuantizeOptions,
): Float64Array | undefined {
  const means = channelMeans.get(node.inputs[0]!);
  const group = node.attributes.get("group");
  if (!biasCorrection || means === undefined || (group?.type === "int" && group.value !== 1n))
    return undefined;
  const reduced = node.opType === "Conv" ? weight.dims[1]! : weight.dims[1 - axis]!;
  if (means.length !== reduced) return undefined;
  const values = floatValues(weight);
  const channels = weight.dims[axis]!;
  const kernel = weight.dims.slice(2).reduce((a, b) => a * b, 1);
  const inner = weight.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const shift = new Float64Array(channels);
  for (let i = 0; i < values.length; i++) {
    const channel = Math.floor(i / inner) % channels;
    const from = axis === 0 ? Math.floor(i / kernel) % reduced : Math.floor(i / channels);
    const at = scales.length === 1 ? 0 : channel;
    const error = scales[at]! * (integers[i]! - zeroPoints[at]!) - values[i]!;
    shift[channel]! += means[from]! * error;
  }
  return shift;
}

/** The bias in int32 at the scale of the products, or nothing where there is none. */
function quantizedBias(
  rewriter: Rewriter,
  { bias, node }: LinearSite,
  { scales }: QuantizedTensor,
  activation: QuantizationScale,
  shift: Float64Array | undefined,
): string[] {
  if (bias === undefined || node.inputs.length < 3) return [];
  const count = elementsOf(bias);
  const steps = scales.map((scale) => Math.fround(scale * activation.scales[0]!));
  const integers = Array.from(floatValues(bias), (value, i) => {
    const exact = (value - (shift?.[i] ?? 0)) / steps[steps.length === 1 ? 0 : i]!;
    return Math.max(-LARGEST_INT32, Math.min(LARGEST_INT32, roundTiesToEven(exact)));
  });
  const stored: TensorValue = int32Tensor(rewriter.name(`${bias.name}.int32`), [count], integers);
  const perChannel = steps.length > 1;
  const scale = rewriter.floats(`${bias.name}.scale`, perChannel ? [count] : [], steps);
  const output = rewriter.name(`${bias.name}.float`);
  return [
    rewriter.op(
      "DequantizeLinear",
      [rewriter.constant(stored), scale],
      output,
      perChannel ? { axis: 0 } : {},
    ),
  ];
}
