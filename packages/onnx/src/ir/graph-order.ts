import { failure } from "@tributary/core";
import { nodeLabel } from "./attributes.ts";
import type { Graph, Node } from "./model.ts";

/** Every value a node reads, values of the enclosing graph that its subgraphs read included. */
export function readsOf(node: Node): readonly string[] {
  const outer: string[] = [];
  for (const attribute of node.attributes.values()) {
    if (attribute.type === "graph") outer.push(...freeValues(attribute.value));
    if (attribute.type === "graphs") outer.push(...attribute.value.flatMap(freeValues));
  }
  const direct = node.inputs.filter((name) => name !== "");
  return outer.length === 0 ? direct : [...direct, ...outer];
}

function freeValues(graph: Graph): string[] {
  const own = new Set([
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.map(({ name }) => name),
    ...graph.nodes.flatMap(({ outputs }) => outputs),
  ]);
  const read = [...graph.nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)];
  return read.filter((name) => !own.has(name));
}

/**
 * Nodes so that every value is made before it is read; already sorted graphs keep their order.
 * Errors: `onnx/invalid-model` where a value is made twice, never made, or depends on itself.
 */
export function sortNodes(graph: Graph, supplied: readonly string[] = []): readonly Node[] {
  const makers = new Map<string, Node>();
  const given = new Set([
    ...supplied,
    ...graph.inputs.map(({ name }) => name),
    ...graph.initializers.map(({ name }) => name),
  ]);
  const constants = new Set<string>();
  for (const { name } of graph.initializers) {
    if (constants.has(name))
      throw failure("onnx/invalid-model", `onnx: two initializers are called "${name}"`);
    constants.add(name);
  }
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      if (name === "") continue;
      if (makers.has(name) || given.has(name)) {
        throw failure("onnx/invalid-model", `onnx: ${nodeLabel(node)} makes "${name}" a second time`);
      }
      makers.set(name, node);
    }
  }
  const sorted: Node[] = [];
  const state = new Map<Node, "open" | "done">();
  // An explicit stack: hostile graphs are long chains, and the call stack is short.
  for (const root of graph.nodes) {
    const stack: Node[] = [root];
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      if (state.get(node) === "done") {
        stack.pop();
        continue;
      }
      const pending = pendingMakers(node, makers, given, state);
      if (pending.length === 0) {
        stack.pop();
        state.set(node, "done");
        sorted.push(node);
        continue;
      }
      if (state.get(node) === "open") {
        throw failure("onnx/invalid-model", `onnx: ${nodeLabel(node)} depends on its own result`);
      }
      state.set(node, "open");
      stack.push(...pending);
    }
  }
  for (const { name } of graph.outputs) {
    if (!makers.has(name) && !given.has(name)) {
      throw failure("onnx/invalid-model", `onnx: nothing makes the output "${name}"`);
    }
  }
  return sorted;
}

function pendingMakers(
  node: Node,
  makers: ReadonlyMap<string, Node>,
  given: ReadonlySet<string>,
  state: ReadonlyMap<Node, "open" | "done">,
): Node[] {
  const pending = new Set<Node>();
  for (const name of readsOf(node)) {
    if (given.has(name)) continue;
    const maker = makers.get(name);
    if (maker === undefined) {
      throw failure("onnx/invalid-model", `onnx: ${nodeLabel(node)} reads "${name}", which nothing makes`);
    }
    if (state.get(maker) !== "done") pending.add(maker);
  }
  return [...pending];
}

/** Drops nodes and initializers that no output depends on. Nodes must be sorted; graph inputs stay. */
export function eliminateDeadCode(graph: Graph): Graph {
  const live = new Set(graph.outputs.map(({ name }) => name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => live.has(name))) continue;
    nodes.push(node);
    for (const name of readsOf(node)) live.add(name);
  }
  return {
    ...graph,
    nodes: nodes.reverse(),
    initializers: graph.initializers.filter(({ name }) => live.has(name)),
    valueInfo: graph.valueInfo.filter(({ name }) => live.has(name)),
  };
}
