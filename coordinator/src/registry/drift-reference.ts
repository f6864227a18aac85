import { parseMeasurementPlan } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { DriftReference } from "./drift-view.ts";

/** What the measurements of a task are compared with. */
export async function driftReference(
  {
    store,
    blobs,
  }: { readonly store: Pick<MetadataStore, "measurements">; readonly blobs: Pick<BlobStore, "bytes"> },
  { name, spec, plan }: Pick<TaskRecord, "name" | "spec" | "plan">,
): Promise<DriftReference> {
  if (spec.kind !== "telemetry") return { dataset: undefined, first: undefined };
  const document = parseMeasurementPlan(await blobs.bytes(plan.digest));
  return {
    dataset: document.kind === "telemetry" ? document.reference : undefined,
    first: await store.measurements.first(name),
  };
}
