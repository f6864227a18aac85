import type { AttributeLiteral } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { GraphTarget } from "../rule.ts";
import { parts } from "./parts.ts";

/**
 * The input and kernel of an ungrouped convolution as the target computes it right. WebGPU's is wrong for input
 * channels in a multiple of 3, above 3, but not of 4 (onnxruntime issue 29651): both get channels of zeros.
 */
export function wholeVectors(
  builder: GraphBuilder,
  x: string,
  w: string,
  target: GraphTarget,
): readonly [string, string] {
  const channels = builder.shape(x)[1]!;
  const affected = channels % 3 === 0 && channels % 4 !== 0 && channels > 3;
  if (target === "cpu" || !affected) return [x, w];
  const extra = 4 - (channels % 4);
  const pad = (value: string): string => {
    const rank = builder.shape(value).length;
    const pads = Array.from({ length: 2 * rank }, (_, i) => (i === rank + 1 ? extra : 0));
    return builder.op("Pad", [value, builder.int64s(pads), builder.float(0)]);
  };
  return [pad(x), pad(w)];
}

/** Appends a convolution without bias in a form that the target computes right: the one way for rules to emit one. */
export function appendConv(
  builder: GraphBuilder,
  [x, w]: readonly [string, string],
  attributes: Readonly<Record<string, AttributeLiteral>>,
  group: number,
  target: GraphTarget,
): string {
  if (group === 1) return builder.op("Conv", wholeVectors(builder, x, w, target), attributes);
  // WebGPU's knows no groups over three axes.
  if (target === "cpu" || builder.shape(x).length < 5)
    return builder.op("Conv", [x, w], { ...attributes, group });
  const kernels = parts(builder, w, 0, group, target);
  const results = parts(builder, x, 1, group, target).map((part, i) =>
    appendConv(builder, [part, kernels[i]!], attributes, 1, target),
  );
  return builder.op("Concat", results, { axis: 1 });
}
