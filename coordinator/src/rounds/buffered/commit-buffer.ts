import { failure, type RoundId } from "@tributary/core";
import type { ChosenStrategy } from "@tributary/aggregation";
import type { StaleCohort } from "@tributary/federation";
import type { MetadataRepositories } from "../../ports/metadata-store.ts";
import type { LineageCohort } from "@tributary/protocol";
import type { NewEvent } from "../../ports/event-records.ts";
import type { ModelRecord, VersionRecord } from "../../ports/model-records.ts";
import type { TaskRecord } from "../../ports/task-records.ts";
import { coordinatorFor } from "../../audit/actors.ts";
import { roundEvent } from "../../registry/views.ts";
import { commitRound, publishEvents } from "../commit-round.ts";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import type { RoundPlan } from "../round-plan.ts";
import { trainRootUpdate } from "../root-update.ts";
import { trainingRoundOf } from "../training-round.ts";
import type { RoundServices, Workers } from "../round-services.ts";
import { bufferMean, type StaleMean } from "@tributary/federation/aggregation";
import { decodeCohortMean } from "./cohort-mean.ts";

export interface CommitBufferInput {
  readonly task: TaskRecord;
  readonly model: ModelRecord;
  readonly plan: RoundPlan;
  readonly strategy: ChosenStrategy;
  /** The newest version, upon which the next is made. */
  readonly base: VersionRecord;
  readonly cohorts: readonly StaleCohort[];
  readonly timestampVersion: number;
}

/**
 * From a full buffer to a version: the sums leave the buffer, and their rounds say which version they made, in the
 * version's own transaction.
 *
 * @throws what `commitRound` throws; `store/corrupt`, `store/blob-*`
 */
export async function commitBuffer(
  services: RoundServices & Pick<Workers, "evaluator">,
  input: CommitBufferInput,
): Promise<VersionRecord> {
  const { task, model, plan, strategy, base, cohorts, timestampVersion } = input;
  const last = cohorts.at(-1);
  if (last === undefined) throw new TypeError("rounds: a commit of no cohorts");
  const mean = await bufferMean(strategy.strategy.aggregation, readCohorts(services, input), async () =>
    // From the version that the step is added to, whatever the cohorts began with.
    trainRootUpdate(services, {
      roundId: last.roundId,
      trainingRound: await trainingRoundOf(services, task, base),
      plan,
      task,
      base,
    }),
  );
  let measured: EvaluationResult | undefined;
  return commitRound(services, {
    // A version is of one round by name: the one whose sum filled the buffer.
    config: { roundId: last.roundId, timestampVersion },
    plan,
    task,
    model,
    base,
    strategy,
    mean,
    cohorts: await lineageOf(services, input),
    evaluated: async (result) => {
      measured = result;
    },
    finalRow: () => ({}),
    alsoStored: async (tx, version) => {
      await tx.bufferedCohorts.commit(cohorts, version);
      const ids = cohorts.map(({ roundId }) => roundId);
      const { loss = null, accuracy = null } = measured ?? {};
      await tx.rounds.settleBuffered(ids, { phase: "committed", version, loss, accuracy });
      return roundEvents(tx, ids);
    },
  });
}

async function lineageOf(
  { store }: Pick<RoundServices, "store">,
  { task, cohorts }: CommitBufferInput,
): Promise<readonly LineageCohort[]> {
  const pending = new Map((await store.bufferedCohorts.pending(task.name)).map((row) => [row.roundId, row]));
  return cohorts.map(({ roundId, updates, staleness }) => ({
    round: roundId,
    updates,
    numExamples: pending.get(roundId)?.numExamples ?? 0,
    staleness,
  }));
}

/** Forgets sums that will be in no version; their rounds say why. */
export async function discardCohorts(
  services: RoundServices,
  { name: task, model }: Pick<TaskRecord, "name" | "model">,
  roundIds: readonly RoundId[],
  reason: string,
): Promise<void> {
  const { store, env } = services;
  const at = env.clock.now();
  const events = await store.transaction(async (tx) => {
    await tx.bufferedCohorts.discard(roundIds);
    await tx.rounds.settleBuffered(roundIds, { phase: "abandoned", reason });
    await tx.audit.append(
      roundIds.map((round) => ({
        actor: coordinatorFor({ task, round }),
        action: "cohort.discard",
        object: { model, task, round },
        detail: { reason },
      })),
      at,
    );
    return tx.events.append(await roundEvents(tx, roundIds), at);
  });
  env.log.warn("buffered cohorts discarded", { roundIds: roundIds.join(" "), reason });
  await publishEvents(services, events);
}

async function roundEvents(tx: MetadataRepositories, ids: readonly RoundId[]): Promise<NewEvent[]> {
  const events: NewEvent[] = [];
  for (const id of ids) {
    const round = await tx.rounds.get(id);
    if (round !== undefined) events.push(roundEvent(round));
  }
  return events;
}

/** One after the other, so that memory holds one. */
async function* readCohorts(
  { store, blobs }: RoundServices,
  { task, plan, cohorts }: CommitBufferInput,
): AsyncGenerator<StaleMean> {
  const pending = new Map((await store.bufferedCohorts.pending(task.name)).map((row) => [row.roundId, row]));
  for (const { roundId, staleness } of cohorts) {
    const row = pending.get(roundId);
    if (row === undefined)
      throw failure("store/corrupt", `rounds: the sum of ${roundId} is not in the buffer`);
    yield { staleness, mean: decodeCohortMean(await blobs.bytes(row.sum.digest), plan) };
  }
}
