import { intAttribute, intsAttribute, textAttribute } from "../../src/ir/attributes.ts";
import type { Node } from "../../src/ir/model.ts";
import { windowOf, type Window } from "../../src/ir/window.ts";
import type { Array64, Operator } from "./array64.ts";
import { array64, broadcastTo, coordinates, indexOf } from "./array64.ts";

/** Convolution over any number of axes, transposed or not: every pair of an input and an output place. */
function convolve(transposed: boolean): Operator {
  return (node, [x, w, b]) => {
    const kernel = w!.shape.slice(2);
    const sizes = x!.shape.slice(2);
    const extra = node.attributes.get("output_padding");
    const window = transposed ? paddedToSize(node, kernel, sizes) : windowOf(node, kernel, sizes);
    const group = intAttribute(node, "group", 1);
    const outer = sizes.map((size, i) => {
      const span = (kernel[i]! - 1) * window.dilations[i]! + 1;
      const pads = window.padsBegin[i]! + window.padsEnd[i]!;
      if (!transposed) return Math.floor((size + pads - span) / window.strides[i]!) + 1;
      const more = extra?.type === "ints" ? Number(extra.value[i]) : 0;
      return window.strides[i]! * (size - 1) + span + more - pads;
    });
    const channels = transposed ? w!.shape[1]! * group : w!.shape[0]!;
    const result = array64([x!.shape[0]!, channels, ...outer]);
    const inPerGroup = x!.shape[1]! / group;
    const outPerGroup = channels / group;
    for (const at of coordinates([x!.shape[0]!, group, inPerGroup, outPerGroup, ...kernel])) {
      const [n, g, c, m, ...tap] = at as [number, number, number, number, ...number[]];
      const weight =
        w!.data[
          indexOf(w!.shape, transposed ? [g * inPerGroup + c, m, ...tap] : [g * outPerGroup + m, c, ...tap])
        ]!;
      for (const place of coordinates(transposed ? sizes : outer)) {
        const other = place.map(
          (value, i) => value * window.strides[i]! - window.padsBegin[i]! + tap[i]! * window.dilations[i]!,
        );
        const limits = transposed ? outer : sizes;
        if (other.some((value, i) => value < 0 || value >= limits[i]!)) continue;
        const [from, to] = transposed ? [place, other] : [other, place];
        result.data[indexOf(result.shape, [n, g * outPerGroup + m, ...to])]! +=
          weight * x!.data[indexOf(x!.shape, [n, g * inPerGroup + c, ...from])]!;
      }
    }
    if (b === undefined) return result;
    const bias = { shape: [channels, ...outer.map(() => 1)], data: b.data };
    const shift = broadcastTo(bias, result.shape).data;
    return { shape: result.shape, data: result.data.map((value, i) => value + shift[i]!) };
  };
}

/** A ConvTranspose's window whose pads bring the result to the size that output_shape or auto_pad asks for. */
function paddedToSize(node: Node, kernel: readonly number[], sizes: readonly number[]): Window {
  const mode = textAttribute(node, "auto_pad", "NOTSET");
  const plain = windowOf(
    { ...node, attributes: new Map(node.attributes).set("auto_pad", NOTSET) },
    kernel,
    sizes,
  );
  const [shape, extra] = ["output_shape", "output_padding"].map((name) => intsAttribute(node, name));
  const wanted =
    shape ?? (mode.startsWith("SAME") ? sizes.map((size, i) => size * plain.strides[i]!) : undefined);
  if (wanted === undefined) return plain;
  const surplus = sizes.map((size, i) => {
    const reach = (kernel[i]! - 1) * plain.dilations[i]! + 1 + (size - 1) * plain.strides[i]!;
    return reach + (extra?.[i] ?? 0) - wanted[i]!;
  });
  const half = surplus.map((size) => Math.floor(size / 2));
  const rest = surplus.map((size, i) => size - half[i]!);
  const begin = mode === "SAME_UPPER" ? half : rest;
  return { ...plain, padsBegin: begin, padsEnd: begin === half ? rest : half };
}

const NOTSET = { type: "string", value: new TextEncoder().encode("NOTSET") } as const;

/** Sums over all letters; an ellipsis stands for axes that come from the first operand only. */
function einsum(node: Node, inputs: readonly Array64[]): Array64 {
  const equation = textAttribute(node, "equation", "");
  const hidden = inputs[0]!.shape.length - equation.split(",")[0]!.replace("...", "").split("->")[0]!.length;
  const plain = equation.replaceAll("...", "XYZ".slice(0, hidden));
  const [left, result] = plain.split("->") as [string, string];
  const terms = left.split(",");
  const letters = [...new Set(left.replaceAll(",", ""))];
  const sizes = letters.map((letter) => {
    const i = terms.findIndex((term) => term.includes(letter));
    return inputs[i]!.shape[terms[i]!.indexOf(letter)]!;
  });
  const pick = (term: string, at: readonly number[]): number[] =>
    Array.from(term).map((letter) => at[letters.indexOf(letter)]!);
  const output = array64(pick(result, sizes));
  for (const at of coordinates(sizes)) {
    const product = terms.reduce(
      (value, term, i) => value * inputs[i]!.data[indexOf(inputs[i]!.shape, pick(term, at))]!,
      1,
    );
    output.data[indexOf(output.shape, pick(result, at))]! += product;
  }
  return output;
}

/** The place in the input that an output index looks at; the scale is the given one, not that of the rounded sizes. */
function placeOf(mode: string, at: number, from: number, to: number, scale: number): number {
  if (mode === "align_corners") return (at * (from - 1)) / (to - 1);
  if (mode === "asymmetric") return at / scale;
  const shift = mode === "half_pixel_symmetric" ? (from / 2) * (1 - to / (scale * from)) : 0;
  return shift + (at + 0.5) / scale - 0.5;
}

function resize(node: Node, [x, , factors, sizes]: readonly (Array64 | undefined)[]): Array64 {
  const listed = intsAttribute(node, "axes") ?? [...x!.shape.keys()];
  const scales = x!.shape.map((size, axis) => {
    const k = listed.indexOf(axis);
    return k < 0 ? 1 : sizes === undefined ? factors!.data[k]! : sizes.data[k]! / size;
  });
  const policy = textAttribute(node, "keep_aspect_ratio_policy", "stretch");
  if (policy !== "stretch") {
    const pick = policy === "not_larger" ? Math.min : Math.max;
    const common = pick(...listed.map((axis) => scales[axis]!));
    for (const axis of listed) scales[axis] = common;
  }
  const to = x!.shape.map((size, axis) =>
    sizes === undefined ? Math.floor(size * scales[axis]!) : Math.round(size * scales[axis]!),
  );
  const mode = textAttribute(node, "coordinate_transformation_mode", "half_pixel");
  const floors = textAttribute(node, "nearest_mode", "round_prefer_floor") === "floor";
  const isNearest = textAttribute(node, "mode", "nearest") === "nearest";
  const result = array64(to);
  let i = 0;
  for (const at of coordinates(to)) {
    const places = at.map((value, axis) =>
      scales[axis] === 1 ? value : placeOf(mode, value, x!.shape[axis]!, to[axis]!, scales[axis]!),
    );
    // Corners around the place and their shares
    let corners: [number[], number][] = [[[], 1]];
    for (const [axis, place] of places.entries()) {
      const clamp = (value: number): number => Math.min(Math.max(value, 0), x!.shape[axis]! - 1);
      const low = Math.floor(place);
      const choices: [number, number][] = isNearest
        ? [[clamp(floors ? low : Math.ceil(place - 0.5)), 1]]
        : [
            [clamp(low), 1 - (place - low)],
            [clamp(low + 1), place - low],
          ];
      corners = corners.flatMap(([corner, share]) =>
        choices.map(([index, part]): [number[], number] => [[...corner, index], share * part]),
      );
    }
    result.data[i] = corners.reduce(
      (sum, [corner, share]) => sum + share * x!.data[indexOf(x!.shape, corner)]!,
      0,
    );
    i += 1;
  }
  return result;
}

export const WINDOW_REFERENCE: Readonly<Record<string, Operator>> = {
  Conv: convolve(false),
  ConvTranspose: convolve(true),
  Einsum: einsum,
  Resize: resize,
};
