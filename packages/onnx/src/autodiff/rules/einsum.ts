import { failure } from "@tributary/core";
import { nodeLabel, textAttribute } from "../../ir/attributes.ts";
import { parseEinsum } from "../../ir/einsum.ts";
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
  if ([...terms, result].some((term) => new Set(term).size !== term.length)) {
    throw failure(
      "onnx/no-gradient",
      `onnx: ${nodeLabel(node)}: "${equation}" takes a diagonal, which has no gradient`,
    );
  }
  return node.inputs.map((_, i) => {
    if (!context.needs(i)) return undefined;
    const own = terms[i]!;
    const shape = shapes[i]!;
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
    if (kept.every((size, k) => size === shape[k])) return apart;
    return builder.op("Expand", [apart, builder.int64s(shape)]);
  });
};
