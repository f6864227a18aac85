import { failure } from "@tributary/core";
import { decodeModel, withTensorOutputs } from "@tributary/onnx";
import { DTYPES, LIMITS, type GraphPort } from "@tributary/protocol";
import { isDType } from "@tributary/tensor";

/** The inputs and outputs of a model that can be published, in the graph's order. */
export interface ModelPorts {
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
}

/**
 * Reads the ports of an ONNX file, as published: with outputs that are tensors. Free dimensions become -1. Initializers that files of IR version 3 list among the
 * inputs are none.
 *
 * @throws `onnx/*` for what cannot be read; `onnx/unsupported-graph`, `onnx/unsupported-dtype` or `onnx/unknown-shape` for ports that
 *   no device could feed or read
 */
export function modelPorts(model: Uint8Array): ModelPorts {
  const graph = withTensorOutputs(decodeModel(model).graph);
  const constants = new Set(graph.initializers.map(({ name }) => name));
  return {
    inputs: portsOf(
      "input",
      graph.inputs.filter(({ name }) => !constants.has(name)),
    ),
    outputs: portsOf("output", graph.outputs),
  };
}

type Kind = "input" | "output";
type ValueInfo = ReturnType<typeof decodeModel>["graph"]["inputs"][number];

function portsOf(kind: Kind, values: readonly ValueInfo[]): readonly GraphPort[] {
  const { maxPorts } = LIMITS;
  if (values.length === 0 || values.length > maxPorts) {
    throw failure(
      "onnx/unsupported-graph",
      `onnx: a published model has 1 to ${maxPorts} ${kind}s, this one has ${values.length}`,
      { detail: { kind, count: values.length, expected: `1 to ${maxPorts}` } },
    );
  }
  return values.map((value) => portOf(kind, value));
}

function portOf(kind: Kind, { name, elementType, shape }: ValueInfo): GraphPort {
  if (!isDType(elementType)) {
    throw refused(
      "onnx/unsupported-dtype",
      { kind, name, expected: DTYPES.join(", "), got: elementType ?? "no tensor" },
      kind === "input" ? "cast it inside the model" : "cast it inside the model, or leave it out",
    );
  }
  if (shape === undefined || shape.length > LIMITS.maxRank) {
    throw refused(
      "onnx/unknown-shape",
      {
        kind,
        name,
        expected: `a shape of at most ${LIMITS.maxRank} dimensions`,
        got: shape === undefined ? "none" : `${shape.length}`,
      },
      "export the model with the shapes of its inputs and outputs (free dimensions may have names)",
    );
  }
  return { name, dtype: elementType, shape: shape.map((size) => (typeof size === "number" ? size : -1)) };
}

function refused(
  code: "onnx/unsupported-dtype" | "onnx/unknown-shape",
  detail: { readonly kind: Kind; readonly name: string; readonly expected: string; readonly got: string },
  advice: string,
): Error {
  const { kind, name, expected, got } = detail;
  return failure(code, `onnx: ${kind} "${name}": expected ${expected}, got ${got}; ${advice}`, {
    detail: { ...detail, advice },
  });
}
