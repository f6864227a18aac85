import { failure } from "@tributary/core";
import type {
  AttributeProto,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  OperatorSetProto,
} from "../proto/onnx-messages.ts";

/** Most nodes that calls may become, and one more for every so many bytes; small files can describe exponentially many. */
const MAX_NODES = 20_000;
const BYTES_PER_NODE = 400;
const MAX_DEPTH = 32;

/**
 * Replaces calls of a model's own functions by their bodies, with names of the call in front of the
 * body's names. Errors: `onnx/invalid-model` (recursion, too many operands), `onnx/too-large`,
 * `onnx/unsupported-opset` where a function needs another version of an operator set than the model.
 */
export function inlineFunctions(model: ModelProto, fileBytes: number): ModelProto {
  const { functions, graph, ...rest } = model;
  if (functions === undefined || functions.length === 0 || graph === undefined) return model;
  const table = new Map<string, FunctionProto>();
  for (const each of functions) {
    const key = keyOf(each.domain, each.name);
    if (table.has(key)) throw invalid(`two functions are called ${key}`);
    table.set(key, each);
  }
  const inliner = new Inliner(table, graph, MAX_NODES + Math.floor(fileBytes / BYTES_PER_NODE));
  const inlined = inliner.graph(graph, 0);
  return { ...rest, graph: inlined, opsetImports: mergeImports(rest.opsetImports ?? [], inliner.used) };
}

function keyOf(domain: string | undefined, name: string | undefined): string {
  return `${domain === "ai.onnx" ? "" : (domain ?? "")}.${name ?? ""}`;
}

function invalid(text: string): Error {
  return failure("onnx/invalid-model", `onnx: ${text}`);
}

function mergeImports(own: readonly OperatorSetProto[], used: Iterable<FunctionProto>): OperatorSetProto[] {
  const normal = (domain: string | undefined): string => (domain === "ai.onnx" ? "" : (domain ?? ""));
  const merged = [...own];
  for (const { name, opsetImports } of used) {
    for (const needed of opsetImports ?? []) {
      const present = merged.find(({ domain }) => normal(domain) === normal(needed.domain));
      if (present === undefined) merged.push(needed);
      else if (present.version !== needed.version) {
        throw failure(
          "onnx/unsupported-opset",
          `onnx: function "${name ?? ""}" is written for version ${needed.version} of "${normal(needed.domain)}", the model for ${present.version}; export again without functions`,
        );
      }
    }
  }
  return merged;
}

/** How the names and attributes of a body read in one call. */
interface Call {
  readonly rename: (name: string) => string;
  readonly attributes: ReadonlyMap<string, AttributeProto>;
}

class Inliner {
  readonly used = new Set<FunctionProto>();
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  readonly #prefixes = new Set<string>();
  readonly #most: number;
  #made = 0;

  constructor(functions: ReadonlyMap<string, FunctionProto>, graph: GraphProto, most: number) {
    this.#functions = functions;
    this.#most = most;
    // Values named like a call's prefix would meet the body's values.
    for (const { outputs } of graph.nodes ?? []) {
      for (const name of outputs ?? []) {
        const slash = name.lastIndexOf("/");
        if (slash >= 0) this.#prefixes.add(name.slice(0, slash));
      }
    }
  }

  graph(graph: GraphProto, depth: number, call?: Call): GraphProto {
    const nodes = (graph.nodes ?? []).flatMap((node) => this.#node(node, depth, call));
    if (call === undefined) return { ...graph, nodes };
    const named = <T extends { name?: string }>(items: readonly T[] | undefined): T[] =>
      (items ?? []).map((item) => ({ ...item, name: call.rename(item.name ?? "") }));
    return {
      ...graph,
      nodes,
      initializers: named(graph.initializers),
      inputs: named(graph.inputs),
      outputs: named(graph.outputs),
      valueInfo: named(graph.valueInfo),
    };
  }

  #node(original: NodeProto, depth: number, call: Call | undefined): NodeProto[] {
    this.#made += 1;
    if (this.#made > this.#most) {
      const label = `${original.opType ?? ""} "${original.name ?? ""}"`;
      throw failure(
        "onnx/too-large",
        `onnx: functions unfold to over ${this.#most} nodes, stopped at ${label}`,
      );
    }
    const node = this.#bound(original, depth, call);
    const body = this.#functions.get(keyOf(node.domain, node.opType));
    if (body === undefined) return [node];
    const label = `function ${node.opType ?? ""} "${node.name ?? ""}"`;
    if (depth >= MAX_DEPTH) throw invalid(`${label} calls itself, or calls nest over ${MAX_DEPTH} deep`);
    this.used.add(body);
    return this.#body(node, body, label, depth);
  }

  /** A node of a body as it reads in a call: names, attributes, and its subgraphs likewise. */
  #bound(node: NodeProto, depth: number, call: Call | undefined): NodeProto {
    const attributes = (node.attributes ?? []).flatMap((attribute): AttributeProto[] => {
      const reference = attribute.refAttrName ?? "";
      if (reference !== "") {
        const value = call?.attributes.get(reference);
        const { name = "" } = attribute;
        return value === undefined ? [] : [{ ...value, name }];
      }
      const { g, graphs } = attribute;
      if (g === undefined && graphs === undefined) return [attribute];
      return [
        {
          ...attribute,
          ...(g === undefined ? {} : { g: this.graph(g, depth, call) }),
          ...(graphs === undefined ? {} : { graphs: graphs.map((graph) => this.graph(graph, depth, call)) }),
        },
      ];
    });
    if (call === undefined) return { ...node, attributes };
    return {
      ...node,
      attributes,
      name: call.rename(node.name ?? ""),
      inputs: (node.inputs ?? []).map(call.rename),
      outputs: (node.outputs ?? []).map(call.rename),
    };
  }

  #body(node: NodeProto, body: FunctionProto, label: string, depth: number): NodeProto[] {
    const [formalIn, formalOut] = [body.inputs ?? [], body.outputs ?? []];
    const [actualIn, actualOut] = [node.inputs ?? [], node.outputs ?? []];
    if (actualIn.length > formalIn.length || actualOut.length > formalOut.length) {
      throw invalid(
        `${label} takes ${formalIn.length} inputs and gives ${formalOut.length} outputs, got ${actualIn.length} and ${actualOut.length}`,
      );
    }
    const prefix = this.#prefix(node.name || actualOut.find((name) => name !== "") || (node.opType ?? ""));
    const names = new Map<string, string>(formalIn.map((name, i) => [name, actualIn[i] ?? ""]));
    const passed: NodeProto[] = [];
    for (const [i, name] of formalOut.entries()) {
      const target = actualOut[i] ?? "";
      if (target === "") continue;
      if (names.has(name)) passed.push({ opType: "Identity", inputs: [names.get(name)!], outputs: [target] });
      else names.set(name, target);
    }
    const rename = (name: string): string => (name === "" ? "" : (names.get(name) ?? `${prefix}/${name}`));
    const attributes = new Map((body.defaults ?? []).map((attribute) => [attribute.name ?? "", attribute]));
    for (const attribute of node.attributes ?? []) attributes.set(attribute.name ?? "", attribute);
    const call: Call = { rename, attributes };
    return [...(body.nodes ?? []).flatMap((inner) => this.#node(inner, depth + 1, call)), ...passed];
  }

  #prefix(wanted: string): string {
    let prefix = wanted;
    for (let i = 2; this.#prefixes.has(prefix); i += 1) prefix = `${wanted}_${i}`;
    this.#prefixes.add(prefix);
    return prefix;
  }
}
