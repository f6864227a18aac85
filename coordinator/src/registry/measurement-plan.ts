import { measurementContent } from "@tributary/federation/planning";
import type { BlobStore } from "../ports/blob-store.ts";
import { measurementTargets } from "../releases/model-targets.ts";
import { lossGraphReader, type PlanOptions, type StoredPlan } from "./plan.ts";
import { referenceValues } from "./reference-values.ts";

/**
 * Builds what devices measure for a task, or for the gate of one that trains, and stores it: the plan and its graph.
 *
 * @throws `onnx/*`, `secagg/*`, `coordinator/invalid-task`
 */
export async function storeMeasurementPlan(blobs: BlobStore, options: PlanOptions): Promise<StoredPlan> {
  const { spec, number, model, complete, issuerPublicKey } = options;
  const { content, graph } = await measurementContent({
    spec,
    model: {
      model: model.name,
      parameters: model.parameters,
      inputs: model.inputs,
      outputs: model.outputs,
    },
    complete,
    issuerPublicKey,
    readLossGraph: lossGraphReader(blobs),
    reference: await referenceValues(blobs, spec, model),
  });
  const evaluate = graph && (await blobs.put(graph.model));
  const document = measurementTargets(number, content, evaluate);
  const plan = await blobs.put(document.bytes);
  return { plan: { ...plan, number, target: document.path }, targets: document.changes };
}
