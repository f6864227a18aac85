import { encodeHex, failure, type Env } from "@tributary/core";
import { parseMeasurementPlan, parsePlan } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/records.ts";
import { measurementPaths, planPaths } from "../releases/target-paths.ts";
import type { Releases } from "../rooms.ts";
import { completeModel } from "./plan.ts";
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
 * Gives tasks whose secure plan names another issuer a plan of the next number: no device would train the old one any more.
 * To be called before rounds begin.
 */
export async function renewPlans(options: RenewalOptions): Promise<void> {
  const { store, blobs, env, releases, issuerPublicKey } = options;
  const issuer = encodeHex(issuerPublicKey);
  for (const task of await store.tasks.list()) {
    const bytes = await blobs.bytes(task.plan.digest);
    const { secureAggregation } = task.spec.kind === "train" ? parsePlan(bytes) : parseMeasurementPlan(bytes);
    if (secureAggregation === undefined || secureAggregation.issuerPublicKey === issuer) continue;
    const model = await store.models.get(task.model);
    const version = model && (await store.versions.get(model.name, model.currentVersion));
    if (version === undefined) throw failure("store/corrupt", `registry: no version of "${task.model}"`);
    const { spec } = task;
    const number = task.plan.number + 1;
    const complete = await completeModel(blobs, model!, version);
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
    env.log.info("registry: plan renewed for another issuer", { task: task.name, plan: number });
  }
}

async function oldTargets(
  { releases }: Pick<MetadataStore, "releases">,
  task: TaskRecord,
): Promise<string[]> {
  const paths = new Set<string>(
    [planPaths, measurementPaths].flatMap((pathsOf) => Object.values(pathsOf(task.name, task.plan.number))),
  );
  return (await releases.targets()).map(({ path }) => path).filter((path) => paths.has(path));
}
