import { failure } from "@tributary/core";
import { intAttribute, intsAttribute, nodeLabel, textAttribute } from "./attributes.ts";
import type { Dim, Node } from "./model.ts";

/** The sliding window of a convolution or pooling, everything per spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padsBegin: readonly number[];
  readonly padsEnd: readonly number[];
  readonly ceilMode: boolean;
}

/** Largest kernel, stride, dilation or padding along an axis that is taken on. */
const MAX_SIZE = 65_536;
/** Largest size of the data along an axis. */
const MAX_SPATIAL = 2 ** 20;

function checkSizes(node: Node, kernel: readonly number[], spatial: readonly Dim[]): void {
  const fits = (sizes: readonly Dim[], most: number): boolean =>
    sizes.every((size) => typeof size === "string" || (size >= 1 && size <= most));
  if (!fits(kernel, MAX_SIZE) || !fits(spatial, MAX_SPATIAL) || kernel.length !== spatial.length) {
    throw failure(
      "onnx/shape-mismatch",
      `onnx: ${nodeLabel(node)}: a window [${kernel.join(",")}] over [${spatial.join(",")}]; a kernel goes to ${MAX_SIZE}, data to ${MAX_SPATIAL}`,
    );
  }
}

/** Reads kernel_shape, strides, dilations, pads or auto_pad; `spatial` is needed for SAME_*. */
export function windowOf(node: Node, kernel: readonly number[], spatial: readonly Dim[]): Window {
  checkSizes(node, kernel, spatial);
  const rank = kernel.length;
  const list = (name: string, fallback: number): number[] => {
    const values = intsAttribute(node, name) ?? Array.from({ length: rank }, () => fallback);
    if (values.length !== rank || values.some((value) => value < fallback || value > MAX_SIZE)) {
      throw failure(
        "onnx/shape-mismatch",
        `onnx: ${nodeLabel(node)}: ${name} [${values.join(",")}] does not fit ${rank} spatial axes`,
      );
    }
    return values;
  };
  const strides = list("strides", 1);
  const dilations = list("dilations", 1);
  const pads = intsAttribute(node, "pads") ?? Array.from({ length: 2 * rank }, () => 0);
  if (pads.length !== 2 * rank || pads.some((pad) => pad < 0 || pad > MAX_SIZE)) {
    throw failure(
      "onnx/shape-mismatch",
      `onnx: ${nodeLabel(node)}: pads [${pads.join(",")}], expected ${2 * rank} of 0 to ${MAX_SIZE}`,
    );
  }
  let padsBegin = pads.slice(0, rank);
  let padsEnd = pads.slice(rank);
  const autoPad = textAttribute(node, "auto_pad", "NOTSET");
  if (autoPad === "SAME_UPPER" || autoPad === "SAME_LOWER") {
    const totals = spatial.map((size, i) => {
      if (typeof size !== "number") {
        throw failure("onnx/unknown-shape", `onnx: ${nodeLabel(node)}: ${autoPad} of an unknown size`);
      }
      const out = Math.ceil(size / strides[i]!);
      return Math.max(0, (out - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1 - size);
    });
    const less = totals.map((total) => Math.floor(total / 2));
    const more = totals.map((total) => Math.ceil(total / 2));
    [padsBegin, padsEnd] = autoPad === "SAME_UPPER" ? [less, more] : [more, less];
  } else if (autoPad === "VALID") {
    padsBegin = padsBegin.map(() => 0);
    padsEnd = padsEnd.map(() => 0);
  }
  const ceilMode = intAttribute(node, "ceil_mode", 0) !== 0;
  return { kernel, strides, dilations, padsBegin, padsEnd, ceilMode };
}

/** Output sizes of a sliding window. */
export function windowOutput(node: Node, window: Window, spatial: readonly Dim[]): Dim[] {
  return spatial.map((size, i) => {
    if (typeof size !== "number") return "";
    const begin = window.padsBegin[i]!;
    const stride = window.strides[i]!;
    const span = (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    const room = size + begin + window.padsEnd[i]! - span;
    let out = (window.ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    // A window that would start in the padding behind the data is dropped.
    if (window.ceilMode && (out - 1) * stride >= size + begin) out -= 1;
    if (room < 0) {
      throw failure(
        "onnx/shape-mismatch",
        `onnx: ${nodeLabel(node)}: a window of ${span} does not fit ${size} with its pads`,
      );
    }
    return out;
  });
}

/** The window of a ConvTranspose, and what it makes of the data. */
export interface TransposedWindow {
  readonly window: Window;
  /** Places at the end of each axis beyond what the windows reach. */
  readonly outputPadding: readonly number[];
  readonly sizes: readonly Dim[];
}

/**
 * Reads a ConvTranspose's attributes: with output_shape or auto_pad SAME_* the pads follow from the result's sizes,
 * an odd one at the end for SAME_UPPER and else at the beginning (ONNX ConvTranspose-11).
 */
export function transposedWindowOf(
  node: Node,
  kernel: readonly number[],
  spatial: readonly Dim[],
): TransposedWindow {
  const autoPad = textAttribute(node, "auto_pad", "NOTSET");
  const attributes = new Map([...node.attributes].filter(([name]) => name !== "auto_pad"));
  if (autoPad !== "NOTSET") attributes.delete("pads");
  const window = windowOf({ ...node, attributes }, kernel, spatial);
  const outputPadding = intsAttribute(node, "output_padding") ?? kernel.map(() => 0);
  if (outputPadding.length !== kernel.length || outputPadding.some((size) => size < 0 || size > MAX_SIZE)) {
    throw failure(
      "onnx/shape-mismatch",
      `onnx: ${nodeLabel(node)}: output_padding [${outputPadding.join(",")}] does not fit ${kernel.length} spatial axes`,
    );
  }
  const full = spatial.map((size, i): Dim => {
    if (typeof size !== "number") return "";
    const span = (kernel[i]! - 1) * window.dilations[i]! + 1;
    return window.strides[i]! * (size - 1) + span + outputPadding[i]!;
  });
  const wanted = wantedSizes(node, autoPad, window, spatial);
  if (wanted === undefined) {
    const sizes = full.map((size, i): Dim =>
      typeof size === "number" ? size - window.padsBegin[i]! - window.padsEnd[i]! : "",
    );
    return { window, outputPadding, sizes };
  }
  const totals = full.map((size, i) => {
    const to = wanted[i]!;
    return typeof size === "number" && typeof to === "number" ? Math.max(0, size - to) : 0;
  });
  const less = totals.map((total) => Math.floor(total / 2));
  const more = totals.map((total) => Math.ceil(total / 2));
  const [padsBegin, padsEnd] = autoPad === "SAME_UPPER" ? [less, more] : [more, less];
  return { window: { ...window, padsBegin, padsEnd }, outputPadding, sizes: wanted };
}

function wantedSizes(
  node: Node,
  autoPad: string,
  window: Window,
  spatial: readonly Dim[],
): readonly Dim[] | undefined {
  const given = intsAttribute(node, "output_shape");
  if (given !== undefined) {
    const sizes = given.slice(-spatial.length);
    if (sizes.length !== spatial.length || sizes.some((size) => size < 1 || size > MAX_SPATIAL)) {
      throw failure(
        "onnx/shape-mismatch",
        `onnx: ${nodeLabel(node)}: output_shape [${given.join(",")}] for ${spatial.length} spatial axes`,
      );
    }
    return sizes;
  }
  if (!autoPad.startsWith("SAME")) return undefined;
  return spatial.map((size, i) => (typeof size === "number" ? size * window.strides[i]! : ""));
}
