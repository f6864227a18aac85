import { failure, toFailure, type ErrorCode, type ModelVersion } from "@tributary/core";
import {
  initialRound,
  roundCounts,
  roundDeadline,
  roundEnded,
  stepRound,
  type RoundConfig,
  type RoundInput,
  type RoundState,
} from "@tributary/federation";
import { strategyOf } from "@tributary/federation/planning";
import { roundAbandoned } from "../audit/records.ts";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";
import type { JournalEntry, RoundRecord } from "../ports/round-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { roundEvent } from "../registry/views.ts";
import { publishEvents } from "./commit-round.ts";
import { reopenMeasurement } from "./measurement/measurement-round.ts";
import type { Reported } from "./reported-files.ts";
import { journalInput } from "./round-journal.ts";
import { isOutdated } from "./outdated-round.ts";
import { readRoundPlan } from "./round-plan.ts";
import type { MeasurementWork, PastRound, RoundRunOptions, TrainingWork } from "./round-run-options.ts";
import { RoundRun } from "./round-run.ts";
import type { RoundServices } from "./round-services.ts";

/** A round that was killed so often while its updates were aggregated is most likely what kills. */
const MAX_AGGREGATIONS = 3;

/** A round that a crash interrupted and that can go on. */
export interface InterruptedRound {
  readonly past: PastRound;
  readonly config: RoundConfig;
  readonly work: TrainingWork | MeasurementWork;
  readonly task: TaskRecord;
  readonly model: ModelRecord;
  readonly base: VersionRecord;
}

/**
 * What an earlier process left of a task's rounds: the newest may go on where its updates came one by one, its deadline is still
 * to come and nothing that it builds on was replaced. The others are abandoned, each with its reason.
 */
export async function findInterrupted(
  services: RoundServices,
  task: TaskRecord,
): Promise<InterruptedRound | undefined> {
  const open = (await services.store.rounds.open()).filter((round) => round.task === task.name);
  const newest = open.pop();
  for (const record of open) await abandonStored(services, record, "round/interrupted");
  if (newest === undefined) return undefined;
  return resumableOrAbandoned(services, task, newest, (config, version) =>
    isOutdated(config, version) ? "round/base-replaced" : undefined,
  );
}

/** Why a round on its base would be of no use; undefined: it would. @param newest - the model's newest version */
export type Outdated = (config: RoundConfig, newest: ModelVersion) => ErrorCode | undefined;

/** An open round of an earlier process, if it can go on; else it is abandoned, with the reason. */
export async function resumableOrAbandoned(
  services: RoundServices,
  task: TaskRecord,
  record: RoundRecord,
  outdated: Outdated,
): Promise<InterruptedRound | undefined> {
  try {
    return await resumable(services, task, record, outdated);
  } catch (error) {
    const { code, message } = toFailure(error, "round/interrupted");
    services.env.log.warn("round was interrupted by a restart and cannot go on", {
      roundId: record.id,
      message,
    });
    await abandonStored(services, record, code);
    return undefined;
  }
}

/** Lets it go on, or abandons it where its updates are not all there. */
export async function resumeOrAbandon(
  services: RoundServices,
  options: RoundRunOptions,
  past: PastRound,
): Promise<RoundRun | undefined> {
  const { log } = services.env;
  const { id: roundId } = past.record;
  try {
    const run = await RoundRun.resume(options, past);
    log.info("round goes on after a restart", {
      roundId,
      phase: run.state.phase,
      reported: past.reported.length,
    });
    return run;
  } catch (error) {
    log.error("round was interrupted by a restart and its updates are lost", { roundId, error });
    await abandonStored(services, past.record, "round/interrupted");
    return undefined;
  }
}

/** Ends a round that was over, but could not be stored as such: the disk was full. */
export async function abandonLeftOver(
  services: RoundServices,
  { name }: TaskRecord,
  last: RoundRecord | undefined,
): Promise<void> {
  for (const record of await services.store.rounds.open()) {
    if (record.task !== name) continue;
    const code = record.id === last?.id ? last.reason : null;
    await abandonStored(services, record, (code ?? "round/interrupted") as ErrorCode);
  }
}

async function resumable(
  services: RoundServices,
  task: TaskRecord,
  record: RoundRecord,
  outdated: Outdated,
): Promise<InterruptedRound> {
  const { store, steadyNow } = services;
  const no = (why: string, code: ErrorCode = "round/interrupted"): Error =>
    failure(code, `rounds: ${record.id} cannot go on: ${why}`);
  const config = record.config as unknown as RoundConfig;
  if (config.secure !== null) throw no("its cohort's secrets were in memory");
  if (task.state !== "running") throw no(`its task is ${task.state}`, "round/task-paused");
  const model = await store.models.get(task.model);
  const base = model && (await store.versions.get(model.name, config.baseVersion));
  if (model === undefined || base === undefined) throw no("its base is gone", "round/base-replaced");
  const code = outdated(config, model.currentVersion);
  if (code !== undefined) throw no(`the newest version is ${model.currentVersion}`, code);
  const work = await workOf(services, task, config, base);
  if (work === undefined) throw no("its plan was replaced");

  const entries = await store.journal.read(record.id);
  const past = replay(config, record, entries);
  const { state, aggregations } = past;
  if (roundEnded(state)) throw no("its end could not be stored");
  const deadline = roundDeadline(state);
  if (deadline !== null && steadyNow() >= deadline) throw no("its deadline passed while nobody ran it");
  if (state.phase === "aggregating" && aggregations >= MAX_AGGREGATIONS)
    throw no(`${MAX_AGGREGATIONS} processes ended while they aggregated it`);
  return { past, config, work, task, model, base };
}

/** What its devices do; undefined where they would do something else now. */
async function workOf(
  services: RoundServices,
  task: TaskRecord,
  config: RoundConfig,
  base: VersionRecord,
): Promise<TrainingWork | MeasurementWork | undefined> {
  if (config.measurement !== undefined) {
    const measurement = await reopenMeasurement(services, task, config);
    return measurement && { measurement };
  }
  if (task.plan.digest !== config.plan.digest || base.weights.digest !== config.weights.digest)
    return undefined;
  return {
    plan: await readRoundPlan(services, task),
    strategy: strategyOf(services.strategies, task.spec),
  };
}

function replay(
  config: RoundConfig,
  record: RoundRecord,
  entries: readonly JournalEntry[],
): PastRound & { readonly aggregations: number } {
  let state = initialRound(config);
  let trainingAt: number | null = null;
  const reported: Reported[] = [];
  let aggregations = 0;
  const give = (input: RoundInput): void => {
    const step = stepRound(config, state, input);
    state = step.state;
    if (trainingAt === null && state.phase === "training") trainingAt = input.now;
    for (const effect of step.effects) {
      if (effect.type === "accumulate") reported.push({ device: effect.device, claim: effect.claim });
      if (effect.type === "aggregate") aggregations += 1;
    }
  };
  for (const [i, entry] of entries.entries()) {
    if (entry.sequence !== i + 1)
      throw failure("store/corrupt", `rounds: ${record.id}: input ${i + 1} is missing`);
    give(journalInput(entry));
  }
  return { record, state, trainingAt, inputs: entries.length, reported, aggregations };
}

/** Its number stays taken. */
async function abandonStored(services: RoundServices, record: RoundRecord, code: ErrorCode): Promise<void> {
  const { store, env, steadyNow } = services;
  const endedAt = env.clock.now();
  const events = await store.transaction(async (tx) => {
    const entries = await tx.journal.read(record.id);
    const input: RoundInput = { type: "abandon", code, now: steadyNow() };
    const { now, ...rest } = input;
    const sequence = (entries.at(-1)?.sequence ?? 0) + 1;
    await tx.journal.append([{ roundId: record.id, sequence, at: now, input: { ...rest } }]);
    const ended = {
      ...record,
      ...endCounts(record, [...entries.map(journalInput), input]),
      phase: "abandoned",
      phases: [...record.phases, { phase: "abandoned", at: endedAt, dropouts: record.dropouts }],
      reason: code,
      endedAt,
      deadlineAt: null,
      seconds: Math.max(0, endedAt - record.startedAt) / 1000,
    } as const;
    await tx.rounds.update(ended);
    await tx.audit.append([roundAbandoned(ended)], endedAt);
    return tx.events.append([roundEvent(ended)], endedAt);
  });
  env.log.warn("round abandoned", { roundId: record.id, phase: record.phase, reason: code });
  await publishEvents(services, events);
}

/** As the journal tells it; as the row has it where the journal is of another version of the machine. */
function endCounts(record: RoundRecord, inputs: readonly RoundInput[]): Partial<RoundRecord> {
  try {
    const config = record.config as unknown as RoundConfig;
    let state: RoundState = initialRound(config);
    for (const input of inputs) state = stepRound(config, state, input).state;
    return roundCounts(state);
  } catch {
    return {};
  }
}
