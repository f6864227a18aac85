import { floatValues } from "../ir/tensor-value.ts";
import { floatConstant, indexGraph } from "./readers.ts";
import { Rewriter } from "./rewriter.ts";
import { fitsFloat16, halfTensor, reportOf } from "./float16-tensor.ts";
import { float16Arithmetic } from "./float16-arithmetic.ts";
import type { Scheme } from "./scheme.ts";
import { elementsOf } from "./weight-site.ts";

/** A Cast node costs about 40 bytes. */
const SMALLEST_WEIGHT = 32;

/** Stores weights as float16; a Cast, which runtimes fold when they load, brings float32 back. */
export const float16: Scheme = (model, options) => {
  if (options.float16Form === "arithmetic") return float16Arithmetic(model, options);
  const { graph } = model;
  const { exclude = [] } = options;
  const rewriter = new Rewriter(graph);
  const index = indexGraph(graph);
  const excluded = new Set(exclude);
  const reports = [];
  for (const tensor of graph.initializers) {
    const values = floatConstant(index, tensor.name) && floatValues(tensor);
    const named = [tensor.name, ...(index.readers.get(tensor.name) ?? []).map(({ name }) => name)];
    const kept =
      values === undefined ||
      elementsOf(tensor) < SMALLEST_WEIGHT ||
      named.some((name) => excluded.has(name)) ||
      index.outputs.has(tensor.name) ||
      !fitsFloat16(values);
    if (kept) {
      rewriter.constant(tensor);
      continue;
    }
    const stored = halfTensor(rewriter.name(`${tensor.name}.float16`), tensor);
    reports.push(reportOf(tensor, stored));
    rewriter.op("Cast", [rewriter.constant(stored)], tensor.name, { to: 1 });
  }
  return {
    graph: { ...graph, nodes: [...rewriter.nodes, ...graph.nodes], initializers: rewriter.initializers },
    weights: new Map(),
    reports,
  };
};
