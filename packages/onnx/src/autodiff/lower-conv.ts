import { intAttribute } from "../ir/attributes.ts";
import type { GraphBuilder } from "../ir/graph-builder.ts";
import { RESERVED_PREFIX } from "../ir/graph-builder.ts";
import type { Node } from "../ir/model.ts";
import { transposedWindowOf, windowOf } from "../ir/window.ts";
import type { ConvGeometry } from "./rules/conv.ts";
import { groupsOf, transposedByConv } from "./rules/conv.ts";
import { appendConv, wholeVectors } from "./rules/whole-vectors.ts";

/** A convolution as WebGPU computes it right: whole vectors of channels, and groups over three axes one by one. */
export function appendForwardConv(builder: GraphBuilder, node: Node): void {
  const [x, w, bias = ""] = node.inputs as [string, string, string?];
  const group = intAttribute(node, "group", 1);
  if (group === 1) {
    builder.append({ ...node, inputs: [...wholeVectors(builder, x, w, "webgpu"), ...node.inputs.slice(2)] });
  } else if (builder.shape(x).length < 5) {
    builder.append(node);
  } else {
    const { kernel, strides, dilations, padsBegin, padsEnd } = windowOf(
      node,
      builder.shape(w).slice(2),
      builder.shape(x).slice(2),
    );
    const attributes = { kernel_shape: kernel, strides, dilations, pads: [...padsBegin, ...padsEnd] };
    appendShifted(builder, appendConv(builder, [x, w], attributes, group, "webgpu"), bias, node.outputs[0]!);
  }
}

/** The value plus a bias by channel, if there is one, under the given name. */
function appendShifted(builder: GraphBuilder, value: string, bias: string, output: string): void {
  if (bias === "") {
    builder.op("Identity", [value], {}, output);
    return;
  }
  const ones = builder.shape(value).map(() => 1);
  const shift = builder.reshape(bias, ones.with(1, builder.shape(bias)[0]!));
  builder.op("Add", [value, shift], {}, output);
}

/**
 * A transposed convolution as WebGPU computes it right: its own kernel is wrong for some groups and knows no third
 * axis, so groups are taken one by one and, over three axes, as ordinary convolutions of what the strides spread out.
 */
export function appendTransposedByGroup(builder: GraphBuilder, node: Node): void {
  const [x, w, bias = ""] = node.inputs as [string, string, string?];
  const group = intAttribute(node, "group", 1);
  const kernel = builder.shape(w).slice(2);
  if (group === 1 && kernel.length < 3) {
    builder.append(node);
    return;
  }
  const outer = builder.shape(x).slice(2);
  const { window, sizes } = transposedWindowOf(node, kernel, outer);
  // What a transposed convolution makes is the gradient of a convolution that would read it.
  const geometry: ConvGeometry = { x, w, dy: x, window, group, inner: sizes as readonly number[], outer };
  const attributes = new Map(node.attributes);
  attributes.delete("group");
  const one = (part: ConvGeometry): string => {
    if (kernel.length > 2) return transposedByConv(builder, part);
    const output = `${RESERVED_PREFIX}transposed.${builder.nodes.length}`;
    builder.append({ ...node, inputs: [part.dy, part.w], outputs: [output], attributes });
    return output;
  };
  const results = group === 1 ? [one(geometry)] : groupsOf(builder, geometry).map(one);
  const whole = results.length === 1 ? results[0]! : builder.op("Concat", results, { axis: 1 });
  appendShifted(builder, whole, bias, node.outputs[0]!);
}
