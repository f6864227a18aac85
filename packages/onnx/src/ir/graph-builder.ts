import { failure } from "@tributary/core";
import type { AttributeLiteral } from "./attributes.ts";
import { attributesOf } from "./attributes.ts";
import type { Fact, ShapeTable } from "./fact.ts";
import { staticShape } from "./fact.ts";
import type { Node, TensorValue } from "./model.ts";
import { factOfTensor } from "./shape-rules/constant.ts";
import { inferNode } from "./shapes.ts";
import { floatTensor, int32Tensor, int64Tensor } from "./tensor-value.ts";

/** Every value, node and port that we add to somebody's graph begins with this. */
export const RESERVED_PREFIX = "tributary.";

/**
 * Appends nodes and constants to a graph under reserved names and knows the static shape of everything
 * in it. Equal constants are shared.
 */
export class GraphBuilder {
  readonly nodes: Node[] = [];
  readonly initializers: TensorValue[] = [];
  readonly #facts: Map<string, Fact>;
  readonly #constants = new Map<string, string>();
  readonly #makers = new Map<string, Node>();
  readonly #prefix: string;
  #count = 0;

  /** `prefix` keeps the names of two builders of one graph apart. */
  constructor(facts: ShapeTable = new Map(), prefix = RESERVED_PREFIX) {
    this.#facts = new Map(facts);
    this.#prefix = prefix;
  }

  /** Appends a node and gives the name of its first output. */
  op(
    opType: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeLiteral>> = {},
    output?: string,
  ): string {
    this.#count += 1;
    const name = `${this.#prefix}${this.#count}.${opType}`;
    const result = output ?? name;
    this.append({
      name,
      opType,
      domain: "",
      inputs,
      outputs: [result],
      attributes: attributesOf(attributes),
    });
    return result;
  }

  /** Appends a finished node. */
  append(node: Node): void {
    this.nodes.push(node);
    const results = inferNode(node, this.#facts);
    for (const [i, output] of node.outputs.entries()) {
      this.#makers.set(output, node);
      const fact = results[i];
      if (output !== "" && fact !== undefined) this.#facts.set(output, fact);
    }
  }

  /** Makes a value known that no node of ours makes. */
  declare(name: string, fact: Fact): void {
    this.#facts.set(name, fact);
  }

  /** The node that makes a value; undefined for inputs and constants. */
  maker(name: string): Node | undefined {
    return this.#makers.get(name);
  }

  /** What is known of every value so far. */
  get facts(): ShapeTable {
    return this.#facts;
  }

  fact(name: string): Fact | undefined {
    return this.#facts.get(name);
  }

  /** The shape of a value. Errors: `onnx/unknown-shape`. */
  shape(name: string): readonly number[] {
    const shape = staticShape(this.#facts.get(name));
    if (shape === undefined) {
      throw failure(
        "onnx/unknown-shape",
        `onnx: the shape of "${name}" cannot be told from the graph; export with static shapes but the batch`,
      );
    }
    return shape;
  }

  floats(dims: readonly number[], values: readonly number[]): string {
    return this.#constant("f", dims, values, floatTensor);
  }

  float(value: number): string {
    return this.floats([], [value]);
  }

  /** A one-dimensional int64 constant: axes, shapes, starts. */
  int64s(values: readonly number[]): string {
    return this.#constant("i", [values.length], values, int64Tensor);
  }

  int32s(dims: readonly number[], values: readonly number[]): string {
    return this.#constant("n", dims, values, int32Tensor);
  }

  reshape(value: string, shape: readonly number[]): string {
    const from = this.shape(value);
    if (from.length === shape.length && from.every((dim, i) => dim === shape[i])) return value;
    return this.op("Reshape", [value, this.int64s(shape)]);
  }

  reduceSum(value: string, axes: readonly number[], keep: boolean): string {
    return this.op("ReduceSum", [value, this.int64s(axes)], { keepdims: keep ? 1 : 0 });
  }

  #constant(
    kind: string,
    dims: readonly number[],
    values: readonly number[],
    make: (name: string, dims: readonly number[], values: readonly number[]) => TensorValue,
  ): string {
    // -0 and 0 must not share a constant, and JSON would write both as 0.
    const key = `${kind}[${dims.join(",")}]${values.map((v) => (Object.is(v, -0) ? "-0" : v)).join(",")}`;
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = `${this.#prefix}constant.${this.#constants.size}`;
      this.#constants.set(key, name);
      const tensor = make(name, dims, values);
      this.initializers.push(tensor);
      this.#facts.set(name, factOfTensor(tensor));
    }
    return name;
  }
}
