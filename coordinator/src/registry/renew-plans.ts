import { encodeHex, failure, type Env } from "@tributary/core";
import { isOutdatedComparison } from "@tributary/federation/planning";
import { parseMeasurementPlan, parsePlan } from "@tributary/protocol";
import { coordinatorFor } from "../audit/actors.ts";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { PlanRef, TaskRecord } from "../ports/task-records.ts";
import type { Releases } from "../rooms.ts";
import { planSource } from "./plan.ts";
import { storePlans } from "./task-plans.ts";

export interface RenewalOptions {
  readonly store: MetadataStore;
  readonly blobs: BlobStore;
  readonly env: Pick<Env, "clock" | "log">;
  readonly releases: Pick<Releases, "release">;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly issuerPublicKey: Uint8Array;
}

/**
 * Gives tasks a plan of the next number where no device would keep to the old one any more: a secure plan that names another
 * issuer, a comparison of versions by other metrics than are read now, or one that lies where no role signs for it. To be called before rounds begin.
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
    const remove = await oldTargets(store, [task.plan, ...(task.gatePlan === null ? [] : [task.gatePlan])]);
    await releases.release({ ...targets, remove }, (release) =>
      store.transaction(async (tx) => {
        await tx.tasks.setPlan(task.name, plan, gatePlan);
        await tx.releases.apply(release);
        await tx.audit.append(
          [
            {
              actor: coordinatorFor({ task: task.name }),
              action: "plan.renew",
              object: { model: task.model, task: task.name },
              detail: { why, number, plan: plan.digest, gatePlan: gatePlan?.digest ?? null },
            },
          ],
          env.clock.now(),
        );
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
  if (!plan.target.startsWith("models/")) return "another place of plans";
  const { secureAggregation } = own ?? {};
  if (secureAggregation !== undefined && secureAggregation.issuerPublicKey !== issuer)
    return "another issuer";
  if (measurement !== undefined && isOutdatedComparison(measurement.metrics)) return "other metrics";
  return undefined;
}

/** The documents of plans and the graphs in the folders beside them. */
async function oldTargets(
  { releases }: Pick<MetadataStore, "releases">,
  plans: readonly PlanRef[],
): Promise<string[]> {
  const paths = (await releases.targets()).map(({ path }) => path);
  return paths.filter((path) =>
    plans.some(({ target }) => path === target || path.startsWith(`${target.replace(/\.json$/, "")}/`)),
  );
}
