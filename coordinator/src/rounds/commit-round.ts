import type { Span } from "@opentelemetry/api";
import type { ModelVersion } from "@tributary/core";
import type { ChosenStrategy } from "@tributary/aggregation";
import { parametersFromSafetensors } from "@tributary/tensor";
import type { RoundConfig } from "@tributary/federation";
import {
  encodeAggregate,
  optimizerFiles,
  steppedWeights,
  type RoundMean,
  type SteppedWeights,
} from "@tributary/federation/aggregation";
import type { EventRecord, NewEvent } from "../ports/event-records.ts";
import type {
  ModelRecord,
  OptimizerBlobs,
  OptimizerRecord,
  VersionRecord,
  VersionStateRecord,
} from "../ports/model-records.ts";
import type { RoundRecord } from "../ports/round-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import type { MetadataRepositories, VersionCommit } from "../ports/metadata-store.ts";
import {
  STABLE_CHANNEL,
  usesControlVariates,
  type LineageCohort,
  type NewAuditRecord,
} from "@tributary/protocol";
import { coordinatorFor } from "../audit/actors.ts";
import { channelMoved } from "../audit/records.ts";
import { mayFollow } from "../rollouts/barred-versions.ts";
import { controlTargets } from "../releases/model-targets.ts";
import type { TargetChanges } from "../rooms.ts";
import { traced } from "../observability/tracing/traced.ts";
import { followCandidate } from "../registry/aliases.ts";
import { trainedLineage } from "../registry/lineage.ts";
import { nextVersionNumber } from "../registry/next-number.ts";
import { completeModel } from "../registry/plan.ts";
import { storeVersion } from "../registry/version-artifacts.ts";
import { forgetStates } from "../registry/version-states.ts";
import { roundEvent, taskEvent, versionEvent } from "../registry/views.ts";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import type { RoundPlan } from "./round-plan.ts";
import { trainingRoundOf } from "./training-round.ts";
import type { RoundServices, Workers } from "./round-services.ts";
import { optimizerMemory } from "./optimizer-memory.ts";

export interface CommitInput {
  /** Of the round that makes the version. */
  readonly config: Pick<RoundConfig, "roundId" | "timestampVersion">;
  readonly plan: RoundPlan;
  readonly task: TaskRecord;
  readonly model: ModelRecord;
  readonly base: VersionRecord;
  readonly strategy: ChosenStrategy;
  readonly mean: RoundMean;
  /** Whose sums are in the mean, where it is not the round's own alone. */
  readonly cohorts?: readonly LineageCohort[];
  /** The weights are known and measured; the transaction begins. */
  evaluated(result: EvaluationResult | undefined): Promise<void>;
  /** The round's final row and the rest of its journal, for the version about to be stored; nothing where it has ended. */
  finalRow(version: ModelVersion): Pick<VersionCommit, "round" | "journal">;
  /** What else is stored with it. */
  alsoStored(tx: MetadataRepositories, version: ModelVersion): Promise<readonly NewEvent[]>;
}

/**
 * From a mean to a version: server optimizer, new weights and its state; evaluation; blobs on disk; metadata signed in memory;
 * one transaction; then the push. Until the transaction nothing refers to what was written.
 *
 * @throws `round/aggregation-failed`, `round/evaluation-failed`, `store/conflict` when the base is not the newest version any more
 */
export async function commitRound(
  services: RoundServices & Pick<Workers, "evaluator">,
  input: CommitInput,
): Promise<VersionRecord> {
  const { evaluator } = services;
  const { plan, task, strategy } = input;
  const stepped = await traced(
    "aggregation.server-optimizer",
    { "tributary.strategy": strategy.choice.name },
    () => newWeights(services, input),
  );
  const { weights } = stepped;
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
  return traced("registry.commit", {}, (span) => commitWeights(services, { input, stepped, result, span }));
}

/** What a commit makes, and what is known of it. */
interface Measured {
  readonly input: CommitInput;
  readonly stepped: NewWeights;
  readonly result: EvaluationResult | undefined;
  readonly span: Span | undefined;
}

/** Stores a version with its signed metadata, and tells everyone. */
async function commitWeights(
  services: RoundServices & Pick<Workers, "evaluator">,
  { input, stepped, result, span }: Measured,
): Promise<VersionRecord> {
  const { env, store, blobs, bus, releases, evaluator } = services;
  const { config, plan, task, model, base, mean, strategy } = input;
  const { weights, state, rounded, before, trainingRound } = stepped;
  const { dataset } = task.spec.evaluation;
  const version = await nextVersionNumber(store, model.name);
  span?.setAttribute("tributary.version", version);
  const createdAt = env.clock.now();
  const stored = await traced("registry.write", {}, async () =>
    storeVersion(
      { blobs, store, env, bus },
      model,
      {
        version,
        parentVersion: base.version,
        roundId: config.roundId,
        createdAt,
        loss: result?.loss ?? null,
        accuracy: result?.accuracy ?? null,
        metrics: result?.metrics ?? {},
        cohort: mean.updates,
        numExamples: mean.totalExamples,
        strategy: strategy.choice,
        releasedAt:
          task.spec.release === "every" && (await mayFollow(store, model.name, STABLE_CHANNEL, base.version))
            ? createdAt
            : null,
        gate: null,
        trust: mean.trust ?? null,
        lineage: trainedLineage({
          model,
          task,
          training: plan.plan.training.spec,
          cohorts: input.cohorts ?? [
            {
              round: config.roundId,
              updates: mean.updates,
              numExamples: mean.totalExamples,
              staleness: null,
            },
          ],
          measured: result,
        }),
      },
      weights,
      rounded?.steps,
      {
        measureRanges:
          dataset === null
            ? undefined
            : (complete) => evaluator.activationRanges({ model: complete, dataset, inputs: model.inputs }),
      },
    ),
  );
  const files = optimizerFiles(strategy.choice.name, { state, rounded });
  const after = files && {
    state: await blobs.put(files.state),
    residual: files.residual && (await blobs.put(files.residual)),
  };
  const optimizer = after === null ? undefined : { task: task.name, version, ...after };
  const kept = {
    model: model.name,
    version,
    task: task.name,
    plan: { digest: task.plan.digest, sizeBytes: task.plan.sizeBytes },
    trainingRound,
    stepPrecision: task.spec.stepPrecision,
    aggregate: services.keepAggregates ? await blobs.put(encodeAggregate(mean)) : null,
    before,
    after,
  };
  const roundsCommitted = (await store.rounds.countCommitted(task.name)) + 1;
  const targets = await withControl(services, task, stored.targets, optimizer);
  const { events, timestampVersion } = await releases.release(targets, async (release) => {
    const last = input.finalRow(version);
    const transaction = (): Promise<readonly EventRecord[]> =>
      store.commitVersion(
        {
          version: stored.version,
          ...last,
          ...(optimizer === undefined ? {} : { optimizer }),
          state: kept,
          release,
          audit: committed(input, stored.version, kept),
          events: async (tx) => {
            await awaitVerdict(tx, task, version, createdAt);
            await forgetStates(tx, stored.version);
            const also = await input.alsoStored(tx, version);
            const [newest = null] = await tx.rounds.list(task.name, { limit: 1 });
            const progress = { currentVersion: version, round: last.round ?? newest, roundsCommitted };
            return [
              ...(last.round === undefined ? [] : [roundEvent(last.round)]),
              versionEvent(stored.version),
              taskEvent((await tx.tasks.get(task.name)) ?? task, progress),
              ...also,
            ];
          },
        },
        createdAt,
      );
    const told = await traced("registry.store", {}, transaction);
    const timestamp = release.metadata.find(({ role }) => role === "timestamp");
    return { events: told, timestampVersion: timestamp?.version ?? config.timestampVersion };
  });
  // The push first: devices should not wait for dashboards.
  if (stored.version.releasedAt !== null) {
    const release = {
      model: model.name,
      channel: STABLE_CHANNEL,
      version,
      timestampVersion,
      committedAt: env.clock.now(),
    };
    await traced("registry.push", {}, () => bus.publish("release", release));
  }
  await publishEvents(services, events);
  return stored.version;
}

/** The version, and that the channel moved to it, where it did. */
function committed(
  { task, model, config }: CommitInput,
  version: VersionRecord,
  { aggregate }: Pick<VersionStateRecord, "aggregate">,
): NewAuditRecord[] {
  const { parentVersion, weights, cohort, numExamples, loss, accuracy, strategy, releasedAt } = version;
  const actor = coordinatorFor({ task: task.name, round: config.roundId });
  const commit: NewAuditRecord = {
    actor,
    action: "round.commit",
    object: { model: model.name, version: version.version, task: task.name, round: config.roundId },
    detail: {
      parentVersion,
      weights: weights.digest,
      aggregate: aggregate?.digest ?? null,
      strategy: strategy?.name ?? null,
      cohort,
      numExamples,
      loss,
      accuracy,
    },
  };
  return releasedAt === null ? [commit] : [commit, channelMoved(actor, STABLE_CHANNEL, version)];
}

/** With control variates, what the strategy remembers is part of the release: devices train the next round with it. */
async function withControl(
  { store }: Pick<RoundServices, "store">,
  { spec }: TaskRecord,
  targets: TargetChanges,
  optimizer: OptimizerRecord | undefined,
): Promise<TargetChanges> {
  if (optimizer === undefined || !usesControlVariates(spec)) return targets;
  const { put, remove = [] } = controlTargets(spec.model, optimizer, await store.releases.targets());
  return { put: [...targets.put, ...put], remove: [...(targets.remove ?? []), ...remove] };
}

/** With a gate, the new version is what held-out devices measure next. */
async function awaitVerdict(
  tx: Pick<MetadataRepositories, "tasks" | "aliases">,
  { name, model }: Pick<TaskRecord, "name" | "model">,
  candidate: ModelVersion,
  at: number,
): Promise<void> {
  const gate = (await tx.tasks.get(name))?.gate ?? null;
  if (gate === null) return;
  await tx.tasks.setGate(name, { ...gate, candidate });
  await followCandidate(tx, model, at);
}

/** Announces logged events once their transaction is through. */
export async function publishEvents(
  { bus }: Pick<RoundServices, "bus">,
  events: readonly EventRecord[],
): Promise<void> {
  for (const event of events) await bus.publish("event", event);
}

/** A version in the making, and where it began. */
interface NewWeights extends SteppedWeights {
  readonly before: OptimizerBlobs | null;
  readonly trainingRound: number;
}

async function newWeights(services: RoundServices, input: CommitInput): Promise<NewWeights> {
  const { mean, plan, base, strategy, task } = input;
  const { blobs } = services;
  const memory = await optimizerMemory(services, input);
  const { stepPrecision } = task.spec;
  const trainingRound = await trainingRoundOf(services, task, base);
  const stepped = await steppedWeights({
    plan: plan.plan,
    strategy,
    base: parametersFromSafetensors(plan.plan.parameters, await blobs.bytes(base.weights.digest)),
    mean,
    baseVersion: base.version,
    trainingRound,
    before: memory.state,
    model: () => completeModel(blobs, input.model, base),
    ...(stepPrecision === "float32"
      ? {}
      : { rounding: { precision: stepPrecision, residual: memory.residual } }),
  });
  return { ...stepped, before: memory.blobs, trainingRound };
}

/** What a round leaves behind when it ends without a version. */
export async function abandonedEvents(
  tx: MetadataRepositories,
  task: TaskRecord,
  round: RoundRecord,
): Promise<readonly NewEvent[]> {
  const currentVersion = (await tx.models.get(task.model))?.currentVersion ?? round.baseVersion;
  const roundsCommitted = await tx.rounds.countCommitted(task.name);
  // As it is now: whoever paused the task ended this round.
  const now = (await tx.tasks.get(task.name)) ?? task;
  return [roundEvent(round), taskEvent(now, { currentVersion, round, roundsCommitted })];
}
