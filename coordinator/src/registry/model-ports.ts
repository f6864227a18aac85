import { failure } from "@tributary/core";
import { decodeModel } from "@tributary/onnx";
import type { GraphPort } from "@tributary/protocol";

/** The one input and the one output of a model that can be published. */
export interface ModelPorts {
  readonly input: GraphPort;
  readonly output: GraphPort;
}

/**
 * Reads the ports of an ONNX file. Free dimensions become -1.
 *
 * @throws `onnx/*` for what cannot be read, `onnx/invalid-model` for other than one float32 tensor in and one out
 */
export function modelPorts(model: Uint8Array): ModelPorts {
  const { graph } = decodeModel(model);
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const inputs = graph.inputs.filter(({ name }) => !constants.has(name));
  return { input: onlyPort("input", inputs), output: onlyPort("output", graph.outputs) };
}

type ValueInfo = ReturnType<typeof decodeModel>["graph"]["inputs"][number];

function onlyPort(kind: "input" | "output", values: readonly ValueInfo[]): GraphPort {
  const [value] = values;
  if (value === undefined || values.length > 1)
    throw failure(
      "onnx/invalid-model",
      `onnx: a published model has one ${kind}, this one has ${values.length}: ${values.map(({ name }) => name).join(", ")}`,
      { detail: { kind, count: values.length } },
    );
  if (value.elementType !== "float32" || value.shape === undefined)
    throw failure(
      "onnx/invalid-model",
      `onnx: ${kind} "${value.name}": expected a float32 tensor of known rank, got ${value.elementType}`,
      { detail: { kind, name: value.name, elementType: value.elementType } },
    );
  const shape = value.shape.map((dim) => (typeof dim === "number" ? dim : -1));
  return { name: value.name, dtype: "float32", shape };
}
