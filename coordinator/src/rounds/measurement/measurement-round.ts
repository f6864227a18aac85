import { asModelVersion, failure, type Digest, type ModelVersion } from "@tributary/core";
import type { MeasurementRules, RoundConfig } from "@tributary/federation";
import {
  measurementRoundRules,
  secureRoundPlan,
  type SecureRoundPlan,
} from "@tributary/federation/aggregation";
import { parseMeasurementPlan, type MeasurementPlan } from "@tributary/protocol";
import type { ModelRecord, VersionRecord } from "../../ports/model-records.ts";
import type { PlanRef, TaskRecord } from "../../ports/task-records.ts";
import { weightsPath } from "../../releases/target-paths.ts";
import type { MetadataStore } from "../../ports/metadata-store.ts";
import { nextMeasured } from "../../rollouts/cohort-evidence.ts";
import type { RoundServices } from "../round-services.ts";

/** What the devices of a round measure. */
export interface MeasurementRound {
  readonly purpose: MeasurementRules["purpose"];
  readonly plan: MeasurementPlan;
  readonly planRef: PlanRef;
  readonly secure: SecureRoundPlan | null;
  /** The graph they run; null where nothing is run. */
  readonly graph: Digest | null;
  readonly model: ModelRecord;
  /** What is measured: of a gate, the last version that passed. */
  readonly current: VersionRecord;
  /** Compared with it. */
  readonly candidate: VersionRecord | null;
}

/**
 * The measurements that are due before a task goes on: undefined where it trains next, `idle` where there is nothing to compare
 * at present.
 *
 * @throws `store/*`, `protocol/invalid-document`
 */
export async function nextMeasurement(
  services: Pick<RoundServices, "store" | "blobs">,
  task: TaskRecord,
): Promise<MeasurementRound | "idle" | undefined> {
  const { kind, candidate } = task.spec;
  const { gate, gatePlan } = task;
  const waiting = gate?.candidate ?? null;
  if (kind === "train") {
    if (gate === null || gatePlan === null || waiting === null) return undefined;
    return open(services, task, {
      purpose: "gate",
      planRef: gatePlan,
      current: gate.reference,
      candidate: waiting,
    });
  }
  const model = await services.store.models.get(task.model);
  if (model === undefined) throw failure("store/corrupt", `rounds: task "${task.name}" has no model`);
  if (kind === "telemetry") {
    const measured = await rolloutMeasured(services.store, task);
    if (measured !== undefined)
      return open(services, task, { purpose: kind, planRef: task.plan, current: measured, candidate: null });
  }
  const current = model.releasedVersion;
  // Other names were taken for what they meant when the task was created.
  const wanted = typeof candidate === "string" ? model.currentVersion : candidate;
  if (wanted === current) return "idle";
  return open(services, task, {
    purpose: kind,
    planRef: task.plan,
    current,
    candidate: wanted === null ? null : asModelVersion(wanted),
  });
}

/** While a rollout rests on a task's sums, treated and control devices are measured in turn. */
async function rolloutMeasured(
  { rollouts }: Pick<MetadataStore, "rollouts">,
  { name, model }: TaskRecord,
): Promise<ModelVersion | undefined> {
  const resting = (await rollouts.underWay(model)).find(({ config }) => config.spec.telemetryTask === name);
  return resting && nextMeasured(resting);
}

/**
 * What the devices of a round measure that an earlier process began: the versions that it began with, by the plan that the task
 * still has.
 *
 * @returns undefined where the task measures by another plan now, or has another version before its gate
 */
export async function reopenMeasurement(
  services: Pick<RoundServices, "store" | "blobs">,
  task: TaskRecord,
  { measurement, baseVersion, plan, weights }: RoundConfig,
): Promise<MeasurementRound | undefined> {
  if (measurement === undefined) return undefined;
  const { purpose } = measurement;
  const candidate = measurement.candidate?.version ?? null;
  const planRef = purpose === "gate" ? task.gatePlan : task.plan;
  if (planRef?.digest !== plan.digest) return undefined;
  if (purpose === "gate" && (task.gate?.candidate !== candidate || task.gate?.reference !== baseVersion))
    return undefined;
  const round = await open(services, task, { purpose, planRef, current: baseVersion, candidate });
  const same =
    round.current.weights.digest === weights.digest &&
    round.candidate?.weights.digest === measurement.candidate?.weightsDigest;
  return same ? round : undefined;
}

async function open(
  { store, blobs }: Pick<RoundServices, "store" | "blobs">,
  task: TaskRecord,
  wanted: Pick<MeasurementRound, "purpose" | "planRef"> & {
    readonly current: ModelVersion;
    readonly candidate: ModelVersion | null;
  },
): Promise<MeasurementRound> {
  const { purpose, planRef } = wanted;
  const plan = parseMeasurementPlan(await blobs.bytes(planRef.digest));
  const model = await store.models.get(task.model);
  const current = await store.versions.get(task.model, wanted.current);
  const candidate = wanted.candidate && (await store.versions.get(task.model, wanted.candidate));
  const graph = plan.kind === "evaluate" ? await store.releases.target(plan.evaluation.target) : null;
  if (model === undefined || current === undefined || candidate === undefined || graph === undefined) {
    throw failure("store/corrupt", `rounds: task "${task.name}" has no model, version or graph to measure`);
  }
  return {
    purpose,
    plan,
    planRef,
    secure: secureRoundPlan(plan),
    graph: graph && graph.digest,
    model,
    current,
    candidate,
  };
}

/** What differs in a round's rules where its devices measure. */
export function measurementConfig(
  { spec, model }: TaskRecord,
  { purpose, planRef, secure, current, candidate }: MeasurementRound,
): Pick<
  RoundConfig,
  "baseVersion" | "plan" | "weights" | "goalCount" | "minimumCount" | "offerLimit" | "measurement"
> {
  return {
    baseVersion: current.version,
    plan: { target: planRef.target, digest: planRef.digest },
    weights: { target: weightsPath(model, current.version), digest: current.weights.digest },
    ...measurementRoundRules(spec, secure),
    measurement: {
      purpose,
      candidate: candidate && {
        version: candidate.version,
        weightsTarget: weightsPath(model, candidate.version),
        weightsDigest: candidate.weights.digest,
      },
    },
  };
}
