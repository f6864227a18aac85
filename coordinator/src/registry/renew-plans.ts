import { encodeHex, failure, type Env } from "@tributary/core";
import { isOutdatedComparison } from "@tributary/federation/planning";
import { parseMeasurementPlan, parsePlan } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/records.ts";
import { measurementPaths, planFolder, planPaths } from "../releases/target-paths.ts";
import type { Releases } from "../rooms.ts";
import { planSource } from "./plan.ts";
import { storePlans } from "./task-plans.ts";

export interface RenewalOptions {
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly env: Pick<Env, "log">;
  readonly releases: Pick<Releases, "release">;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly issuerPublicKey: Uint8Array;
}

/**
 * Gives tasks a plan of the next number where no device would keep to the old one any more: a secure plan that names another
 * issuer, or a comparison of versions by other metrics than are read now. To be called before rounds begin.
 */
export async function renewPlans(options: RenewalOptions): Promise<void> {
  const { store, blobs, env, releases, issuerPublicKey } = options;
  const issuer = encodeHex(issuerPublicKey);
  for (const task of await store.tasks.list()) {
    const why = await reasonToRenew(blobs, task, issuer);
    if (why === undefined) continue;
    const model = await store.models.get(task.model);
    const version = model && (await store.versions.get(model.name, model.currentVersion));
    if (version === undefined) throw failure("store/corrupt", `registry: no version of "${task.model}"`);
    const { spec } = task;
    const number = task.plan.number + 1;
    const complete = await planSource(blobs, model!, version);
    const { plan, gatePlan, targets } = await storePlans(blobs, {
      spec,
      number,
      model: model!,
      complete,
      issuerPublicKey,
    });
    const remove = await oldTargets(store, task);
    await releases.release({ ...targets, remove }, (release) =>
      store.transaction(async (tx) => {
        await tx.tasks.setPlan(task.name, plan, gatePlan);
        await tx.releases.apply(release);
      }),
    );
    env.log.info("registry: plan renewed", { task: task.name, plan: number, why });
  }
}

async function reasonToRenew(
  blobs: BlobStore,
  { spec, plan, gatePlan }: TaskRecord,
  issuer: string,
): Promise<string | undefined> {
  const trains = spec.kind === "train";
  const measured = trains ? gatePlan : plan;
  const measurement =
    measured === null ? undefined : parseMeasurementPlan(await blobs.bytes(measured.digest));
  const own = trains ? parsePlan(await blobs.bytes(plan.digest)) : measurement;
  const { secureAggregation } = own ?? {};
  if (secureAggregation !== undefined && secureAggregation.issuerPublicKey !== issuer)
    return "another issuer";
  if (measurement !== undefined && isOutdatedComparison(measurement.metrics)) return "other metrics";
  return undefined;
}

async function oldTargets(
  { releases }: Pick<MetadataStore, "releases">,
  task: TaskRecord,
): Promise<string[]> {
  const paths = new Set<string>(
    [planPaths, measurementPaths].flatMap((pathsOf) => Object.values(pathsOf(task.name, task.plan.number))),
  );
  const folder = planFolder(task.name, task.plan.number);
  return (await releases.targets())
    .map(({ path }) => path)
    .filter((path) => paths.has(path) || path.startsWith(folder));
}
