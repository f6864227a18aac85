import type { Fact, ShapeTable } from "./fact.ts";
import { UNKNOWN } from "./fact.ts";
import type { Model, Node, ValueInfo } from "./model.ts";
import { factOfTensor } from "./shape-rules/constant.ts";
import { SHAPE_RULES } from "./shape-rules/index.ts";

/**
 * Element types and shapes of every value that can be told without running, by walking the graph (which
 * must be in topological order). `inputs` replaces the declared shapes of graph inputs, `sizes` binds
 * symbolic sizes by their names (`{ batch: 32 }`). Values of operators without a rule fall back on the
 * file's own value_info, if no input was replaced.
 * Errors: `onnx/shape-mismatch`, `onnx/unknown-shape`.
 */
export function inferShapes(
  model: Model,
  inputs: Readonly<Record<string, readonly number[]>> = {},
  sizes: Readonly<Record<string, number>> = {},
): ShapeTable {
  const { graph } = model;
  const factOfInfo = ({ elementType, shape }: ValueInfo): Fact => ({
    elementType,
    shape: shape?.map((dim) => (typeof dim === "string" && Object.hasOwn(sizes, dim) ? sizes[dim]! : dim)),
  });
  const facts = new Map<string, Fact>();
  for (const info of graph.inputs) {
    const fact = factOfInfo(info);
    const given = Object.hasOwn(inputs, info.name) ? inputs[info.name] : undefined;
    facts.set(info.name, given === undefined ? fact : { ...fact, shape: given });
  }
  for (const tensor of graph.initializers) facts.set(tensor.name, factOfTensor(tensor));
  const replaced = Object.keys(inputs).length > 0;
  const declared = new Map(
    replaced ? [] : [...graph.valueInfo, ...graph.outputs].map((info) => [info.name, factOfInfo(info)]),
  );
  for (const node of graph.nodes) {
    const results = inferNode(node, facts);
    for (const [i, name] of node.outputs.entries()) {
      if (name === "") continue;
      const result = results[i] ?? UNKNOWN;
      facts.set(name, result.shape === undefined ? (declared.get(name) ?? result) : result);
    }
  }
  return facts;
}

/** Facts of one node's outputs. */
export function inferNode(node: Node, facts: ShapeTable): readonly Fact[] {
  const rule = node.domain === "" ? SHAPE_RULES[node.opType] : undefined;
  if (rule === undefined) return [];
  return rule({ node, inputs: node.inputs.map((name) => facts.get(name) ?? UNKNOWN) });
}
