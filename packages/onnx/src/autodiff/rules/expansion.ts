import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Node } from "../../ir/model.ts";
import type { GradRule, GraphTarget } from "../rule.ts";
import { attentionParts } from "./attention.ts";
import { gruSteps, lstmSteps, rnnSteps } from "./recurrent.ts";

/** Appends what an operator stands for, of operators that have rules; names the result of each output. */
export type Expansion = (builder: GraphBuilder, node: Node, target: GraphTarget) => readonly string[];

/**
 * Operators that train as several: their backward pass needs what is inside, so the forward pass is
 * written out too and both share it.
 */
export const EXPANSIONS: Readonly<Record<string, Expansion>> = {
  Attention: attentionParts,
  GRU: gruSteps,
  LSTM: lstmSteps,
  RNN: rnnSteps,
};

/** The nodes that were put in the place of a node. */
const expanded = new WeakMap<GraphBuilder, Map<Node, readonly Node[]>>();

export function appendExpanded(builder: GraphBuilder, node: Node, target: GraphTarget): void {
  const start = builder.nodes.length;
  const results = EXPANSIONS[node.opType]!(builder, node, target);
  for (const [i, name] of node.outputs.entries()) {
    if (name !== "") builder.op("Identity", [results[i]!], {}, name);
  }
  const byNode = expanded.get(builder) ?? new Map<Node, readonly Node[]>();
  byNode.set(node, builder.nodes.slice(start));
  expanded.set(builder, byNode);
}

/** Differentiates what the operator was written out as. */
export const throughExpansion: GradRule = (context) => {
  const { builder, node } = context;
  const seeds = node.outputs.flatMap((value, i) => {
    const gradient = context.dy(i);
    return gradient === undefined ? [] : [{ value, gradient }];
  });
  const wanted = new Set(node.inputs.filter((name, i) => name !== "" && context.needs(i)));
  const gradients = context.differentiate(expanded.get(builder)?.get(node) ?? [node], seeds, wanted);
  // A value that is several inputs gets its whole gradient once.
  return node.inputs.map((name, i) => (node.inputs.indexOf(name) === i ? gradients.get(name) : undefined));
};
