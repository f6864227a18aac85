import type { Digest, ModelName } from "@tributary/core";
import { parseMetadata, type TargetsMetadata } from "@tributary/tuf";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { PlanRef } from "../ports/task-records.ts";
import { modelRole, trainingRole } from "./roles.ts";
import { manifestPath, weightsPath } from "./target-paths.ts";

type Rows = Pick<MetadataStore, "releases">;

/** Whether devices find a plan in the signed release. Where a model's keys lie elsewhere, it waits for their signatures. */
export async function isPlanSigned(
  { releases }: Rows,
  model: ModelName,
  { target, digest }: Pick<PlanRef, "target" | "digest">,
): Promise<boolean> {
  return (await signedTargets(releases, modelRole(model))).get(target)?.sha256 === digest;
}

/** The channels of a model of which the signed release says what they point to; the others wait for signatures. */
export async function signedChannels(
  { releases, channels }: Rows & Pick<MetadataStore, "channels">,
  model: ModelName,
): Promise<ReadonlySet<string>> {
  const released = await signedTargets(releases, modelRole(model));
  const trained = await signedTargets(releases, trainingRole(model));
  const signed = new Set<string>();
  for (const { name, version } of await channels.list(model)) {
    const manifest = manifestPath(model, name);
    const weights = weightsPath(model, version);
    const wanted = await releases.target(manifest);
    const isSigned = wanted !== undefined && released.get(manifest)?.sha256 === wanted.digest;
    if (isSigned && (released.has(weights) || trained.has(weights))) signed.add(name);
  }
  return signed;
}

/** Whether what devices are to follow of a model waits for signatures: until they are there, devices follow what was signed before. */
export async function waitsForSignatures({ releases }: Rows, model: ModelName): Promise<boolean> {
  return (await releases.drafts()).some(({ role }) => role === modelRole(model));
}

/** What the signed release lists of roles whose next files wait for signatures: devices download it, though the next does not list it. */
export async function signedMeanwhile({ releases }: Rows): Promise<readonly Digest[]> {
  const digests: Digest[] = [];
  for (const { role } of await releases.drafts())
    if (role !== "root")
      for (const { sha256 } of (await signedTargets(releases, role)).values()) digests.push(sha256 as Digest);
  return digests;
}

async function signedTargets(
  releases: MetadataStore["releases"],
  role: string,
): Promise<TargetsMetadata["targets"]> {
  const metadata = await releases.latest(role);
  return metadata === undefined ? new Map() : (await parseMetadata("targets", metadata.bytes)).signed.targets;
}
