import type { BlobStore } from "../ports/blob-store.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { TargetChanges } from "../rooms.ts";
import { storeMeasurementPlan } from "./measurement-plan.ts";
import { storePlan, type PlanOptions } from "./plan.ts";

/**
 * What devices do for a task, by its kind: a plan of training, with one of measurements where it has a gate; or of measurements
 * alone.
 *
 * @throws `onnx/*`, `secagg/*`, `coordinator/invalid-task`
 */
export async function storePlans(
  blobs: BlobStore,
  options: PlanOptions,
): Promise<Pick<TaskRecord, "plan" | "gatePlan"> & { readonly targets: TargetChanges }> {
  const { kind, gate } = options.spec;
  if (kind !== "train") return { ...(await storeMeasurementPlan(blobs, options)), gatePlan: null };
  const training = await storePlan(blobs, options);
  if (gate === null) return { ...training, gatePlan: null };
  const measurement = await storeMeasurementPlan(blobs, options);
  return {
    plan: training.plan,
    gatePlan: measurement.plan,
    targets: { put: [...training.targets.put, ...measurement.targets.put] },
  };
}
