import type { IntegerType, QuantizedTensor } from "./quantize-tensor.ts";
import { quantizeWeight } from "./quantize-weight.ts";
import { Rewriter } from "./rewriter.ts";
import type { Scheme } from "./scheme.ts";
import { weightSites, type WeightSite } from "./weight-site.ts";

/** Stores weights as 8-bit integers that a DequantizeLinear brings back to float32. */
export const int8Weights: Scheme = ({ graph }, options) => {
  const { symmetric = true, exclude = [] } = options;
  const rewriter = new Rewriter(graph);
  const weights = new Map<string, QuantizedTensor>();
  const type = symmetric ? "int8" : "uint8";
  for (const site of weightSites(graph, exclude)) {
    const { name } = site.weight;
    const quantized = quantizeWeight(site, options, { type, symmetric });
    weights.set(name, quantized);
    dequantizeWeight(rewriter, site, quantized, type, name);
  }
  const kept = graph.initializers.filter(({ name }) => !weights.has(name));
  return {
    graph: {
      ...graph,
      nodes: [...rewriter.nodes, ...graph.nodes],
      initializers: [...kept, ...rewriter.initializers],
    },
    weights,
    reports: Array.from(weights.values(), ({ report }) => report),
  };
};

/** Adds the stored integers and the node that makes `output` of them. */
export function dequantizeWeight(
  rewriter: Rewriter,
  { weight, axis }: WeightSite,
  { integers, scales, zeroPoints }: QuantizedTensor,
  type: IntegerType,
  output: string,
  withZero = type === "uint8",
): string {
  const perChannel = scales.length > 1;
  const shape = perChannel ? [scales.length] : [];
  const inputs = [
    rewriter.bytes(`${weight.name}.${type}`, type, weight.dims, integers),
    rewriter.floats(`${weight.name}.scale`, shape, scales),
  ];
  if (withZero || zeroPoints.some((zero) => zero !== 0)) {
    inputs.push(rewriter.zeroPoint(type, shape, zeroPoints));
  }
  return rewriter.op("DequantizeLinear", inputs, output, perChannel ? { axis } : {});
}
