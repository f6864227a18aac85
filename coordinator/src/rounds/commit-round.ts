import { asModelVersion, encodeUtf8, failure, type ModelVersion } from "@tributary/core";
import { applyStep, fedAvg, meanUpdate, serverSgd, type FedAvgState } from "@tributary/aggregation";
import { allFinite, parametersFromSafetensors, type ParameterSet } from "@tributary/tensor";
import type { RoundConfig } from "@tributary/federation";
import type { EventRecord, ModelRecord, RoundRecord, TaskRecord, VersionRecord } from "../ports/records.ts";
import type { VersionCommit } from "../ports/metadata-store.ts";
import { storeVersion } from "../registry/version-artifacts.ts";
import { roundEvent, taskEvent, versionEvent } from "../registry/views.ts";
import type { EvaluationResult, Evaluator } from "./evaluation.ts";
import type { RoundPlan } from "./round-plan.ts";
import type { RoundServices } from "./round-services.ts";

export interface CommitInput {
  readonly config: RoundConfig;
  readonly plan: RoundPlan;
  readonly task: TaskRecord;
  readonly model: ModelRecord;
  readonly base: VersionRecord;
  readonly sum: FedAvgState;
  /** The weights are known and measured; the transaction begins. */
  evaluated(result: EvaluationResult | undefined): Promise<void>;
  /** The round's final row and the rest of its journal, for the version about to be stored. */
  finalRow(version: ModelVersion): Pick<Required<VersionCommit>, "round" | "journal">;
}

/**
 * From a sum to a version: mean, server optimizer, new weights; evaluation; blobs on disk; metadata signed in memory;
 * one transaction; then the push. Until the transaction nothing refers to what was written.
 *
 * @throws `round/aggregation-failed`, `round/evaluation-failed`, `store/conflict` when the base is not the newest version any more
 */
export async function commitRound(
  services: RoundServices & { readonly evaluator: Evaluator },
  input: CommitInput,
): Promise<VersionRecord> {
  const { env, store, blobs, bus, releases, evaluator } = services;
  const { config, plan, task, model, base, sum } = input;

  const weights = await newWeights(services, input);
  const { dataset } = task.spec.evaluation;
  const result =
    dataset === null
      ? undefined
      : await evaluator.evaluate({
          graph: plan.evaluationGraph,
          dataset,
          spec: plan.plan.evaluation.spec,
          values: weights.values,
        });
  await input.evaluated(result);

  const version = asModelVersion(base.version + 1);
  const createdAt = env.clock.now();
  const stored = await storeVersion(
    { blobs, store },
    model,
    {
      version,
      parentVersion: base.version,
      roundId: config.roundId,
      createdAt,
      loss: result?.loss ?? null,
      accuracy: result?.accuracy ?? null,
      metrics: result?.metrics ?? {},
      cohort: sum.updates,
      numExamples: sum.totalExamples,
    },
    weights,
  );
  const roundsCommitted = (await store.rounds.countCommitted(task.name)) + 1;
  const { events, timestampVersion } = await releases.release(stored.targets, async (release) => {
    const { round, journal } = input.finalRow(version);
    const progress = { currentVersion: version, round, roundsCommitted };
    const committed = await store.commitVersion(
      {
        version: stored.version,
        round,
        journal,
        optimizer: { task: task.name, version, state: encodeUtf8("{}") },
        release,
        events: async ({ tasks }) => [
          roundEvent(round),
          versionEvent(stored.version),
          taskEvent((await tasks.get(task.name)) ?? task, progress),
        ],
      },
      createdAt,
    );
    const timestamp = release.metadata.find(({ role }) => role === "timestamp");
    return { events: committed, timestampVersion: timestamp?.version ?? config.timestampVersion };
  });
  // The push first: devices should not wait for dashboards.
  const committedAt = env.clock.now();
  await bus.publish("release", {
    model: model.name,
    channel: model.channel,
    version,
    timestampVersion,
    committedAt,
  });
  await publishEvents(services, events);
  return stored.version;
}

/** Announces logged events once their transaction is through. */
export async function publishEvents(
  { bus }: Pick<RoundServices, "bus">,
  events: readonly EventRecord[],
): Promise<void> {
  for (const event of events) await bus.publish("event", event);
}

async function newWeights({ blobs }: RoundServices, input: CommitInput): Promise<ParameterSet> {
  const { sum, plan, base, config } = input;
  const schema = plan.plan.parameters;
  const mean = meanUpdate(schema, fedAvg.mean(sum));
  const current = parametersFromSafetensors(schema, await blobs.bytes(base.weights.digest));
  const optimizer = serverSgd();
  const { step } = optimizer.update(mean, optimizer.init(current));
  const weights = applyStep(current, step);
  if (!allFinite(weights.values)) {
    throw failure("round/aggregation-failed", `rounds: the weights after ${config.roundId} are not finite`);
  }
  return weights;
}

/** What a round leaves behind when it ends without a version. */
export function abandonedEvents(task: TaskRecord, round: RoundRecord, roundsCommitted: number) {
  return [roundEvent(round), taskEvent(task, { currentVersion: round.baseVersion, round, roundsCommitted })];
}
