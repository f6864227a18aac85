import { encodeUtf8, sha256, type Digest } from "@tributary/core";
import { secureRoundPlan, type SecureRoundPlan } from "@tributary/federation/aggregation";
import { measurementContent, modelPorts, type ReadLossGraph } from "@tributary/federation/planning";
import { parseMeasurementPlan, type EvaluationPlan, type TaskSpec } from "@tributary/protocol";
import type { ParameterSchema } from "@tributary/tensor";
import type { TrainingThreadData } from "./training-tasks.ts";

/** What held-out devices measure for a task's gate. */
export interface PreparedGate {
  readonly plan: EvaluationPlan;
  readonly planDigest: Digest;
  /** Of plan and graph: what a device downloads once. */
  readonly planBytes: number;
  /** Null: vectors are reported one by one. */
  readonly secure: SecureRoundPlan | null;
  readonly graph: NonNullable<TrainingThreadData["measurement"]>;
}

/** As a coordinator does when the task is created. @throws `onnx/*`, `secagg/*`, `coordinator/invalid-task` */
export async function prepareGate(options: {
  readonly spec: TaskSpec;
  readonly model: Uint8Array;
  readonly parameters: ParameterSchema;
  readonly issuerPublicKey: Uint8Array;
  readonly readLossGraph: ReadLossGraph;
}): Promise<PreparedGate | null> {
  const { spec, model, parameters, issuerPublicKey, readLossGraph } = options;
  if (spec.gate === null) return null;
  const { outputs } = modelPorts(model);
  const { content, graph } = await measurementContent({
    spec,
    model: { model: spec.model, parameters, outputs },
    complete: model,
    issuerPublicKey,
    readLossGraph,
  });
  if (content.kind !== "evaluate" || graph === undefined)
    throw new TypeError("simulate: a gate that runs no graph");
  const evaluation = {
    target: `models/${spec.model}/measurements/${spec.name}/1/evaluate.onnx`,
    spec: graph.spec,
  };
  const bytes = encodeUtf8(JSON.stringify({ ...content, formatVersion: 1, evaluation }));
  // As devices read it.
  const plan = parseMeasurementPlan(bytes) as EvaluationPlan;
  return {
    plan,
    planDigest: sha256(bytes),
    planBytes: bytes.length + graph.model.length,
    secure: secureRoundPlan(plan),
    graph: { model: graph.model, spec: plan.evaluation.spec },
  };
}
