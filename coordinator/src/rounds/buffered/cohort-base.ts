import { failure } from "@tributary/core";
import type { ModelRecord, VersionRecord } from "../../ports/model-records.ts";
import type { TaskRecord } from "../../ports/task-records.ts";
import { readRoundPlan, type RoundPlan } from "../round-plan.ts";
import type { RoundServices } from "../round-services.ts";

/** What cohorts on one version have in common. */
export interface CohortBase {
  readonly model: ModelRecord;
  readonly version: VersionRecord;
  readonly plan: RoundPlan;
  /** TUF timestamp version that lists plan and weights. */
  readonly timestampVersion: number;
  /** Fewest updates of a sum. */
  readonly minimumCount: number;
}

/** The newest version of the task's model. @throws `store/corrupt` */
export async function readBase(services: RoundServices, task: TaskRecord): Promise<CohortBase> {
  const { store } = services;
  const plan = await readRoundPlan(services, task);
  const model = await store.models.get(task.model);
  const version = model && (await store.versions.get(model.name, model.currentVersion));
  const timestamp = await store.releases.latest("timestamp");
  if (model === undefined || version === undefined || timestamp === undefined) {
    throw failure(
      "store/corrupt",
      `rounds: task "${task.name}" has no model, version or release to start from`,
    );
  }
  const minimumCount = Math.max(task.spec.cohort.minimumCount, plan.secure?.plan.minimumCohort ?? 0);
  return { model, version, plan, timestampVersion: timestamp.version, minimumCount };
}
