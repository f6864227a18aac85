import { failure } from "@tributary/core";
import { nodeLabel, textAttribute } from "../../ir/attributes.ts";
import { parseEinsum } from "../../ir/einsum.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { GradRule } from "../rule.ts";

/** The gradient of each operand is an Einsum of the result's gradient and the other operands. */
export const einsum: GradRule = (context, dy) => {
  const { builder, node } = context;
  const shapes = node.inputs.map((name) => builder.shape(name));
  const equation = textAttribute(node, "equation", "");
  const { terms, result } = parseEinsum(
    nodeLabel(node),
    equation,
    shapes.map((shape) => shape.length),
  );
  if (new Set(result).size !== result.length) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: "${equation}" makes a diagonal; multiply by a constant identity instead`,
    );
  }
  return node.inputs.map((_, i) => {
    if (!context.needs(i)) return undefined;
    const whole = terms[i]!;
    // A letter that comes twice takes a diagonal: the gradient of the diagonal goes onto it.
    const first = Array.from(whole, (letter, k) => whole.indexOf(letter) === k);
    const own = Array.from(whole)
      .filter((_, k) => first[k])
      .join("");
    const shape = shapes[i]!.filter((_, k) => first[k]);
    const others = terms.flatMap((term, k) => (k === i ? [] : [{ term, name: node.inputs[k]! }]));
    const sources = [{ term: result, name: dy }, ...others];
    const sizes = new Map(
      sources.flatMap(({ term, name }) =>
        Array.from(term).map((letter, k) => [letter, builder.shape(name)[k]!]),
      ),
    );
    // Broadcast operands (size 1 against more) and letters found here only
    const known = Array.from(own)
      .filter((letter, k) => sizes.has(letter) && shape[k] !== 1)
      .join("");
    const equationBack = `${sources.map(({ term }) => term).join(",")}->${known}`;
    const product =
      sources.length === 1 && result === known
        ? dy
        : builder.op(
            "Einsum",
            sources.map(({ name }) => name),
            { equation: equationBack },
          );
    const kept = shape.map((size, k) => (known.includes(own[k]!) ? size : 1));
    const apart = builder.reshape(product, kept);
    const full = kept.every((size, k) => size === shape[k])
      ? apart
      : builder.op("Expand", [apart, builder.int64s(shape)]);
    return own === whole ? full : ontoDiagonal(builder, full, whole, shapes[i]!);
  });
};

/** Largest constant that picks a diagonal. */
const MAX_ELEMENTS = 2 ** 20;

/** From one axis per letter to one per place in the term: zero but where equal letters have equal indices. */
function ontoDiagonal(builder: GraphBuilder, value: string, term: string, shape: readonly number[]): string {
  const letters = Array.from(term);
  const repeats = letters.map((letter) => letters.filter((other) => other === letter).length > 1);
  const sizes = shape.map((size, k) => (repeats[k] ? size : 1));
  const total = sizes.reduce((product, size) => product * size, 1);
  if (total > MAX_ELEMENTS) {
    throw failure("onnx/no-gradient", `onnx: Einsum: a diagonal of [${shape.join(",")}] is too large`);
  }
  const mask = Array.from({ length: total }, (_, flat) => {
    const at = new Map<string, number>();
    let rest = flat;
    for (let k = sizes.length - 1; k >= 0; k -= 1) {
      const index = rest % sizes[k]!;
      rest = Math.floor(rest / sizes[k]!);
      const letter = letters[k]!;
      if ((at.get(letter) ?? index) !== index) return 0;
      at.set(letter, index);
    }
    return 1;
  });
  const apart = shape.map((size, k) => (letters.indexOf(letters[k]!) === k ? size : 1));
  return builder.op("Mul", [builder.reshape(value, apart), builder.floats(sizes, mask)]);
}
