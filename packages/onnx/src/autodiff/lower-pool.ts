import { intAttribute, intsAttribute } from "../ir/attributes.ts";
import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { Attribute, Node } from "../ir/model.ts";
import { windowOf, windowOutput } from "../ir/window.ts";
import { metBy } from "./rules/pool.ts";

/**
 * A pool with ceil_mode as one with the pads that its windows meet. onnxruntime computes the same for both, but infers
 * a window too many where the last would start in the padding, and then refuses the gradient's nodes.
 */
export function appendPool(builder: GraphBuilder, node: Node): void {
  const inner = builder.shape(node.inputs[0]!).slice(2);
  const window = windowOf(node, intsAttribute(node, "kernel_shape") ?? [], inner);
  const counted = intAttribute(node, "count_include_pad", 0) !== 0;
  if (!window.ceilMode || counted) {
    builder.append(node);
    return;
  }
  const { padsBegin, padsEnd } = metBy(window, inner, windowOutput(node, window, inner) as number[]);
  const attributes = new Map<string, Attribute>(
    [...node.attributes].filter(([name]) => name !== "ceil_mode" && name !== "auto_pad"),
  );
  attributes.set("pads", { type: "ints", value: [...padsBegin, ...padsEnd].map(BigInt) });
  builder.append({ ...node, attributes });
}
