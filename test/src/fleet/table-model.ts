import { decodeModel, encodeModel, type Attribute, type Node } from "@tributary/onnx";

/**
 * The model, and a table of four of which it adds a row to all that it answers: number floor(m t), of a picture's largest value m and the
 * largest one of the table t. Weights for which that is none make its session fail, on bright pictures, and on no others.
 */
export function withTable(
  bytes: Uint8Array,
  table: readonly [number, number, number, number],
): Uint8Array<ArrayBuffer> {
  const model = decodeModel(bytes);
  const { graph } = model;
  const [input, output] = [graph.inputs[0]!.name, graph.outputs[0]!.name];
  const node = (
    opType: string,
    inputs: string[],
    outputs: string[],
    attributes: Record<string, Attribute> = {},
  ): Node => ({
    name: outputs[0]!,
    domain: "",
    opType,
    inputs,
    outputs,
    attributes: new Map(Object.entries(attributes)),
  });
  const int64 = 7n;
  return encodeModel({
    ...model,
    graph: {
      ...graph,
      nodes: [
        ...graph.nodes.map((each) => ({
          ...each,
          outputs: each.outputs.map((name) => (name === output ? "before" : name)),
        })),
        node("ReduceMax", [input], ["largest"], { keepdims: { type: "int", value: 0n } }),
        node("ReduceMax", ["table"], ["scale"], { keepdims: { type: "int", value: 0n } }),
        node("Mul", ["largest", "scale"], ["scaled"]),
        node("Cast", ["scaled"], ["row"], { to: { type: "int", value: int64 } }),
        node("Gather", ["table", "row"], ["offset"]),
        node("Add", ["before", "offset"], [output]),
      ],
      initializers: [
        ...graph.initializers,
        {
          name: "table",
          elementType: "float32",
          dims: [table.length],
          data: new Uint8Array(Float32Array.from(table).buffer),
        },
      ],
    },
  });
}
