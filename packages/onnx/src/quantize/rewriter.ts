import type { AttributeLiteral } from "../ir/attributes.ts";
import { attributesOf } from "../ir/attributes.ts";
import type { ElementType } from "../ir/element-type.ts";
import type { Graph, Node, TensorValue } from "../ir/model.ts";
import { floatTensor } from "../ir/tensor-value.ts";
import { freshName, valueNames } from "./readers.ts";

/** Collects the nodes and constants of a rewritten graph under names that are free in it. */
export class Rewriter {
  readonly nodes: Node[] = [];
  readonly initializers: TensorValue[] = [];
  readonly #taken: Set<string>;
  readonly #shared = new Map<string, string>();

  constructor(graph: Graph) {
    this.#taken = valueNames(graph);
  }

  name(base: string): string {
    return freshName(this.#taken, base);
  }

  /** Appends a node with one output and gives the output's name. */
  op(
    opType: string,
    inputs: readonly string[],
    output: string,
    attributes: Readonly<Record<string, AttributeLiteral>> = {},
    domain = "",
  ): string {
    this.nodes.push({
      name: "",
      opType,
      domain,
      inputs,
      outputs: [output],
      attributes: attributesOf(attributes),
    });
    return output;
  }

  constant(tensor: TensorValue): string {
    this.initializers.push(tensor);
    return tensor.name;
  }

  /** A small float32 constant; equal ones are shared. */
  floats(base: string, dims: readonly number[], values: readonly number[]): string {
    return this.#share(`f${dims.join("x")}:${values.join(",")}`, () =>
      this.constant(floatTensor(this.name(base), dims, values)),
    );
  }

  /** Bytes as constant of an 8-bit type. */
  bytes(base: string, elementType: ElementType, dims: readonly number[], values: Iterable<number>): string {
    const data = Uint8Array.from(values, (value) => value & 255);
    return this.constant({ name: this.name(base), elementType, dims, data });
  }

  /** A zero point of an 8-bit type; equal ones are shared. */
  zeroPoint(elementType: ElementType, dims: readonly number[], values: readonly number[]): string {
    return this.#share(`${elementType}${dims.join("x")}:${values.join(",")}`, () =>
      this.bytes("zero_point", elementType, dims, values),
    );
  }

  #share(key: string, make: () => string): string {
    let name = this.#shared.get(key);
    if (name === undefined) {
      name = make();
      this.#shared.set(key, name);
    }
    return name;
  }
}
