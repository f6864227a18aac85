import type { GraphBuilder } from "../../ir/graph-builder.ts";
import { RESERVED_PREFIX } from "../../ir/graph-builder.ts";
import type { GraphTarget } from "../rule.ts";

/** Equal parts along an axis. Engines with few buffers per kernel get slices. */
export function parts(
  builder: GraphBuilder,
  value: string,
  axis: number,
  count: number,
  target: GraphTarget = "cpu",
): string[] {
  if (count === 1) return [value];
  if (target === "webgpu") {
    const size = builder.shape(value)[axis]! / count;
    return Array.from({ length: count }, (_, i) => {
      const bounds = [[i * size], [(i + 1) * size], [axis]].map((list) => builder.int64s(list));
      return builder.op("Slice", [value, ...bounds]);
    });
  }
  const prefix = `${RESERVED_PREFIX}part.${builder.nodes.length}`;
  const outputs = Array.from({ length: count }, (_, i) => `${prefix}.${i}`);
  builder.append({
    name: prefix,
    opType: "Split",
    domain: "",
    inputs: [value],
    outputs,
    attributes: new Map([
      ["axis", { type: "int", value: BigInt(axis) }],
      ["num_outputs", { type: "int", value: BigInt(count) }],
    ]),
  });
  return outputs;
}
