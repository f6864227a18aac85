import { intsAttribute, nodeLabel, textAttribute } from "./attributes.ts";
import type { Fact } from "./fact.ts";
import { normalAxis } from "./fact.ts";
import type { Dim, Node } from "./model.ts";

/** What a Resize does along one axis. */
export interface AxisResize {
  readonly to: Dim;
  /** Result over data, in float32 as engines compute with it; undefined where it is not a constant. */
  readonly scale: number | undefined;
}

/** scales, sizes, axes and keep_aspect_ratio_policy of a Resize-19, or the scales of an Upsample, for each axis. */
export function resizedAxes(
  node: Node,
  shape: readonly Dim[],
  inputs: readonly Fact[],
): readonly AxisResize[] {
  const three = node.inputs.length > 2;
  const attribute = node.attributes.get("scales");
  const scales = attribute?.type === "floats" ? attribute.value : inputs[three ? 2 : 1]?.floats;
  const sizes = three && (node.inputs[3] ?? "") !== "" ? inputs[3] : undefined;
  const axes =
    intsAttribute(node, "axes")?.map((axis) => normalAxis(nodeLabel(node), axis, shape.length)) ??
    shape.map((_, i) => i);
  const ratio = (axis: number, to: Dim | undefined): number | undefined => {
    const from = shape[axis];
    return typeof from === "number" && typeof to === "number" ? Math.fround(to / from) : undefined;
  };
  const policy = textAttribute(node, "keep_aspect_ratio_policy", "stretch");
  const ratios = axes.map((axis, k) => ratio(axis, sizes?.values?.[k]));
  const known = ratios.every((value) => value !== undefined) ? ratios : undefined;
  const common = known && (policy === "not_larger" ? Math.min(...known) : Math.max(...known));
  return shape.map((from, axis): AxisResize => {
    const k = axes.indexOf(axis);
    if (k < 0) return { to: from, scale: 1 };
    if (sizes === undefined) {
      const scale = scales === undefined ? undefined : Math.fround(scales[k] ?? 1);
      const to = typeof from === "number" && scale !== undefined ? floorOf(from, scale) : "";
      return { to: scale === 1 ? from : to, scale };
    }
    if (policy === "stretch") return { to: sizes.values?.[k] ?? "", scale: ratios[k] };
    if (common === undefined || typeof from !== "number") return { to: "", scale: undefined };
    return { to: Math.round(Math.fround(common * from)), scale: common };
  });
}

function floorOf(size: number, scale: number): number {
  return Math.floor(Math.fround(size * scale));
}
