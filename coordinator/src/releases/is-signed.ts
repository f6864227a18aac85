import type { ModelName } from "@tributary/core";
import { parseMetadata } from "@tributary/tuf";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { PlanRef } from "../ports/task-records.ts";
import { modelRole } from "./roles.ts";

/** Whether devices find a plan in the signed release. Where a model's keys lie elsewhere, it waits for their signatures. */
export async function isPlanSigned(
  { releases }: Pick<MetadataStore, "releases">,
  model: ModelName,
  { target, digest }: Pick<PlanRef, "target" | "digest">,
): Promise<boolean> {
  const metadata = await releases.latest(modelRole(model));
  if (metadata === undefined) return false;
  const { targets } = (await parseMetadata("targets", metadata.bytes)).signed;
  return targets.get(target)?.sha256 === digest;
}
