import { nodeLabel, textAttribute } from "../attributes.ts";
import { parseEinsum } from "../einsum.ts";
import type { Dim } from "../model.ts";
import type { ShapeRule } from "./rule.ts";
import { mismatch } from "./rule.ts";

export const einsum: ShapeRule = ({ node, inputs }) => {
  const elementType = inputs[0]?.elementType ?? "undefined";
  const shapes = inputs.map(({ shape }) => shape);
  if (!shapes.every((shape) => shape !== undefined)) return [{ elementType, shape: undefined }];
  const equation = textAttribute(node, "equation", "");
  const ranks = shapes.map((shape) => shape.length);
  const { terms, result } = parseEinsum(nodeLabel(node), equation, ranks);
  const sizes = new Map<string, Dim>();
  for (const [i, term] of terms.entries()) {
    for (const [k, letter] of Array.from(term).entries()) {
      const [before, size] = [sizes.get(letter) ?? 1, shapes[i]![k]!];
      if (before === 1) sizes.set(letter, size);
      else if (typeof size === "number" && typeof before === "number" && size !== 1 && size !== before) {
        throw mismatch(node, `"${equation}" has ${before} and ${size} for the same letter`);
      }
    }
  }
  return [{ elementType, shape: Array.from(result).map((letter) => sizes.get(letter)!) }];
};
