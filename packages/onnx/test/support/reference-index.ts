import { intAttribute, textAttribute } from "../../src/ir/attributes.ts";
import type { Operator } from "./array64.ts";
import { array64, coordinates, indexOf } from "./array64.ts";

/** Operators that pick or place elements by index. */
export const INDEX_REFERENCE: Readonly<Record<string, Operator>> = {
  Gather: (node, [x, indices]) => {
    const axis = intAttribute(node, "axis", 0);
    const picked = indices!.shape;
    const result = array64([...x!.shape.slice(0, axis), ...picked, ...x!.shape.slice(axis + 1)]);
    let i = 0;
    for (const at of coordinates(result.shape)) {
      const index = indices!.data[indexOf(picked, at.slice(axis, axis + picked.length))]!;
      const row = index < 0 ? index + x!.shape[axis]! : index;
      const from = [...at.slice(0, axis), row, ...at.slice(axis + picked.length)];
      result.data[i] = x!.data[indexOf(x!.shape, from)]!;
      i += 1;
    }
    return result;
  },
  GatherElements: (node, [x, indices]) => {
    const axis = intAttribute(node, "axis", 0);
    const result = array64(indices!.shape);
    let i = 0;
    for (const at of coordinates(result.shape)) {
      result.data[i] = x!.data[indexOf(x!.shape, at.with(axis, indices!.data[i]!))]!;
      i += 1;
    }
    return result;
  },
  GatherND: (node, [x, indices]) => {
    const batch = intAttribute(node, "batch_dims", 0);
    const depth = indices!.shape.at(-1)!;
    const lead = indices!.shape.length - 1;
    const result = array64([...indices!.shape.slice(0, -1), ...x!.shape.slice(batch + depth)]);
    let i = 0;
    for (const at of coordinates(result.shape)) {
      const start = indexOf(indices!.shape, [...at.slice(0, lead), 0]);
      const picked = indices!.data.subarray(start, start + depth);
      result.data[i] = x!.data[indexOf(x!.shape, [...at.slice(0, batch), ...picked, ...at.slice(lead)])]!;
      i += 1;
    }
    return result;
  },
  ScatterND: (node, [x, indices, updates]) => {
    const adds = textAttribute(node, "reduction", "none") === "add";
    const depth = indices!.shape.at(-1)!;
    const lead = indices!.shape.length - 1;
    const data = x!.data.slice();
    let i = 0;
    for (const at of coordinates(updates!.shape)) {
      const start = indexOf(indices!.shape, [...at.slice(0, lead), 0]);
      const to = indexOf(x!.shape, [...indices!.data.subarray(start, start + depth), ...at.slice(lead)]);
      data[to] = (adds ? data[to]! : 0) + updates!.data[i]!;
      i += 1;
    }
    return { shape: x!.shape, data };
  },
  ScatterElements: (node, [x, indices, updates]) => {
    const adds = textAttribute(node, "reduction", "none") === "add";
    const axis = intAttribute(node, "axis", 0);
    const data = x!.data.slice();
    let i = 0;
    for (const at of coordinates(updates!.shape)) {
      const to = indexOf(x!.shape, at.with(axis, indices!.data[i]!));
      data[to] = (adds ? data[to]! : 0) + updates!.data[i]!;
      i += 1;
    }
    return { shape: x!.shape, data };
  },
  Slice: (_, [x, starts, ends, axes, steps]) => {
    // The places taken along each axis, as Python's slices take them
    const taken = x!.shape.map((size) => Array.from({ length: size }, (__, i) => i));
    for (const [k, start] of starts!.data.entries()) {
      const axis = axes?.data[k] ?? k;
      const size = x!.shape[axis]!;
      const step = steps?.data[k] ?? 1;
      const end = ends!.data[k]!;
      const from = Math.min(Math.max(start < 0 ? start + size : start, 0), size - (step < 0 ? 1 : 0));
      const to = end < -size ? -1 : end < 0 ? end + size : Math.min(end, size);
      taken[axis] = [];
      for (let i = from; step > 0 ? i < to : i > to; i += step) taken[axis].push(i);
    }
    const result = array64(taken.map((places) => places.length));
    let i = 0;
    for (const at of coordinates(result.shape)) {
      const from = at.map((value, axis) => taken[axis]![value]!);
      result.data[i] = x!.data[indexOf(x!.shape, from)]!;
      i += 1;
    }
    return result;
  },
  Pad: (node, [x, pads]) => {
    const mode = textAttribute(node, "mode", "constant");
    const rank = x!.shape.length;
    const result = array64(x!.shape.map((size, i) => size + pads!.data[i]! + pads!.data[i + rank]!));
    let i = 0;
    for (const at of coordinates(result.shape)) {
      const from = at.map((value, axis) => value - pads!.data[axis]!);
      const inside = from.map((value, axis) => {
        const size = x!.shape[axis]!;
        if (mode === "edge") return Math.min(Math.max(value, 0), size - 1);
        if (mode === "reflect") return value < 0 ? -value : value >= size ? 2 * (size - 1) - value : value;
        return value >= 0 && value < size ? value : -1;
      });
      result.data[i] = inside.includes(-1) ? 0 : x!.data[indexOf(x!.shape, inside)]!;
      i += 1;
    }
    return result;
  },
};
