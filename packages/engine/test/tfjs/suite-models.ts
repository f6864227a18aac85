import { tensor } from "@tributary/tensor";
import type { SuiteModels } from "../../src/testing/index.ts";
import { writeTfjsArtifact, type TfjsArtifact } from "../../src/tfjs/artifact.ts";

type Ports = TfjsArtifact["model"]["inputs"];

const port = (name: string, shape: readonly number[]): Ports[number] => ({ name, dtype: "float32", shape });
const node = (name: string, op: string, input: readonly string[] = []) => ({
  name,
  op,
  input,
  attr: { dtype: { type: "DT_FLOAT" }, T: { type: "DT_FLOAT" } },
});

function graphModel(
  nodes: readonly object[],
  inputs: Ports,
  outputs: Ports,
  weights: TfjsArtifact["weights"] = new Map(),
): Uint8Array {
  return writeTfjsArtifact({
    model: {
      kind: "graph-model",
      topology: { node: nodes, library: {}, versions: {} },
      weights: [...weights.keys()],
      inputs,
      outputs,
    },
    weights,
  });
}

/** The conformance suite's models as GraphModels. */
export const SUITE_MODELS: SuiteModels = {
  increment: graphModel(
    [node("x", "Placeholder"), node("one", "Const"), node("y", "AddV2", ["x", "one"])],
    [port("x", [-1, 2])],
    [port("y", [-1, 2])],
    new Map([["one", tensor("float32", [], Float32Array.of(1))]]),
  ),
  step: graphModel(
    [
      node("w", "Placeholder"),
      node("g", "Placeholder"),
      node("next", "Sub", ["w", "g"]),
      node("same", "Identity", ["w"]),
    ],
    [port("w", [4]), port("g", [4])],
    [port("next", [4]), port("same", [4])],
  ),
};
