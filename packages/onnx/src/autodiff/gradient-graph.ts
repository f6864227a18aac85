import { failure } from "@tributary/core";
import { nodeLabel } from "../ir/attributes.ts";
import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { Node } from "../ir/model.ts";
import type { GradContext, GraphTarget, Seed } from "./rule.ts";
import { FLAT_OPS, GRAD_RULES, isDifferentiable } from "./rules/index.ts";

/** Values that change with the wanted ones: everything a gradient may have to pass. */
export function dependents(nodes: readonly Node[], wanted: ReadonlySet<string>): Set<string> {
  const reached = new Set(wanted);
  for (const node of nodes) {
    if (node.domain === "" && FLAT_OPS.has(node.opType)) continue;
    if (!node.inputs.some((name) => reached.has(name))) continue;
    for (const output of node.outputs) if (output !== "") reached.add(output);
  }
  return reached;
}

/**
 * Reverse-mode differentiation: appends to `builder` what computes the gradient of a scalar whose
 * gradient with respect to `seed.value` is `seed.gradient` (for each of several seeds). `nodes` are the forward nodes, sorted and
 * already part of the builder's graph. Gives the gradient of each wanted value that has one.
 * Errors: `onnx/no-gradient`, `onnx/unknown-shape`.
 */
export function appendGradients(
  builder: GraphBuilder,
  nodes: readonly Node[],
  seed: Seed | readonly Seed[],
  wanted: ReadonlySet<string>,
  target: GraphTarget,
): Map<string, string> {
  const reached = dependents(nodes, wanted);
  const seeds = "value" in seed ? [seed] : seed;
  const parts = new Map<string, string[]>();
  for (const { value, gradient } of seeds) {
    const list = parts.get(value);
    if (list === undefined) parts.set(value, [gradient]);
    else list.push(gradient);
  }
  const gradients = new Map<string, string>();
  const gradientOf = (name: string): string | undefined => {
    const known = gradients.get(name);
    if (known !== undefined) return known;
    const list = parts.get(name);
    if (list === undefined) return undefined;
    // Values used twice get the sum of what each use contributes.
    const total = list.reduce((sum, part) => builder.op("Add", [sum, part]));
    gradients.set(name, total);
    return total;
  };
  for (const node of nodes.toReversed()) {
    if (!node.inputs.some((name) => reached.has(name))) continue;
    if (!node.outputs.some((name) => parts.has(name))) continue;
    if (node.domain === "" && FLAT_OPS.has(node.opType)) continue;
    const context: GradContext = {
      node,
      builder,
      target,
      x: (index) => node.inputs[index] ?? "",
      y: (index) => node.outputs[index] ?? "",
      dy: (index) => gradientOf(node.outputs[index] ?? ""),
      differentiate: (inner, seedsOfInner, wantedOfInner) =>
        appendGradients(builder, inner, seedsOfInner, wantedOfInner, target),
      needs: (index) => reached.has(node.inputs[index] ?? ""),
    };
    const results = gradientsOfInputs(context);
    for (const [i, result] of results.entries()) {
      const name = node.inputs[i];
      if (result === undefined || name === undefined || !reached.has(name)) continue;
      const list = parts.get(name);
      if (list === undefined) parts.set(name, [result]);
      else list.push(result);
    }
  }
  for (const name of wanted) gradientOf(name);
  return new Map([...gradients].filter(([name]) => wanted.has(name)));
}

/** Their rules ask for the gradient of each output; the first may have none. */
const MANY_OUTPUTS: ReadonlySet<string> = new Set(["Attention", "GRU", "LSTM", "RNN", "Split"]);

function gradientsOfInputs(context: GradContext): readonly (string | undefined)[] {
  const { node } = context;
  if (node.domain !== "" || !isDifferentiable(node.opType)) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)} has no gradient rule; freeze the parameters before it with "trainable"`,
      { detail: { op: node.opType, node: node.name } },
    );
  }
  const side = node.outputs.findIndex((_, i) => i > 0 && context.dy(i) !== undefined);
  if (side > 0 && !MANY_OUTPUTS.has(node.opType)) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: the loss depends on its output ${side} ("${node.outputs[side]}"), and only its first has a gradient; compute that value with operators of its own`,
      { detail: { op: node.opType, node: node.name } },
    );
  }
  // Some output has a gradient: here the first, unless the rule asks for each.
  const dy = context.dy(0) ?? "";
  return GRAD_RULES[node.opType](context, dy);
}
