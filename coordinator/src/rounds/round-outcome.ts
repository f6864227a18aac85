import type { ModelVersion } from "@tributary/core";
import { measuredOf, type RoundInput } from "@tributary/federation";
import type { RoundMean } from "@tributary/federation/aggregation";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import { traced } from "../observability/tracing/traced.ts";
import type { MetadataRepositories, VersionCommit } from "../ports/metadata-store.ts";
import type { NewEvent } from "../ports/event-records.ts";
import type { RoundRecord } from "../ports/round-records.ts";
import { storeCohort } from "./buffered/store-cohort.ts";
import { commitRound } from "./commit-round.ts";
import { commitMeasurement, storeUndecided } from "./measurement/commit-measurement.ts";
import type { MeasurementRound } from "./measurement/measurement-round.ts";
import type { MetricUpdates } from "./measurement/metric-updates.ts";
import type { RoundRunCommon, RoundRunOptions, TrainingWork } from "./round-run-options.ts";
import type { RoundUpdates } from "./round-updates.ts";
import type { SecureSession } from "./secure/secure-session.ts";

/** What ends a round whose sum was of use. */
export type OutcomeInput = Extract<RoundInput, { type: "committed" | "buffered" }>;

/** The row and the rest of the journal, for the transaction of what the round made. */
export type LastRow = Pick<Required<VersionCommit>, "round" | "journal">;

/** The round whose sum is complete, as far as its outcome depends on it. */
export interface CompletedRound {
  readonly updates: RoundUpdates | MetricUpdates;
  readonly secure: SecureSession | undefined;
  readonly reported: () => number;
  /** Whether it was abandoned meanwhile. */
  readonly ended: () => boolean;
  readonly measured: (examples: number) => void;
  /** The sum is known and what it makes is measured; the transaction begins. */
  readonly aggregated: (result: Pick<EvaluationResult, "loss" | "accuracy"> | undefined) => Promise<void>;
  readonly lastRow: (input: OutcomeInput) => LastRow;
  readonly verdict: (tx: MetadataRepositories) => Promise<readonly NewEvent[]>;
}

/**
 * Stores what a round's sum makes: a version, a part of a buffer, or what was measured.
 *
 * @returns the input that ends the round; undefined where it was abandoned before
 */
export async function storeOutcome(
  options: RoundRunOptions,
  round: CompletedRound,
): Promise<OutcomeInput | undefined> {
  const { services, measurement, config } = options;
  const { steadyNow, env } = services;
  if (config.buffered === true && measurement === undefined) {
    const mean = await meanOf(options, round);
    if (mean === undefined) return undefined;
    const aggregated = (): Promise<void> => round.aggregated(undefined);
    const finalRow = (): LastRow => round.lastRow({ type: "buffered", now: steadyNow() });
    await traced("registry.store", {}, () =>
      storeCohort(services, { config, mean, aggregated, finalRow, alsoStored: round.verdict }),
    );
    return { type: "buffered", now: steadyNow() };
  }
  const version =
    measurement === undefined
      ? await commitVersion(options, round)
      : await commitMeasured(options, measurement, round);
  if (version === undefined) return undefined;
  env.log.info("round committed", { roundId: config.roundId, version });
  return { type: "committed", version, now: steadyNow() };
}

async function meanOf(
  { plan: { plan } }: TrainingWork,
  { secure, updates, ended }: CompletedRound,
): Promise<RoundMean | undefined> {
  const { maxUpdateNorm, update } = plan;
  const { maxStatisticChange } = update;
  const limits = { maxUpdateNorm, maxStatisticChange };
  const mean = await (secure?.mean(limits) ?? (updates as RoundUpdates).mean());
  return ended() ? undefined : mean;
}

async function commitVersion(
  work: RoundRunCommon & TrainingWork,
  round: CompletedRound,
): Promise<ModelVersion | undefined> {
  const mean = await meanOf(work, round);
  if (mean === undefined) return undefined;
  const { version } = await commitRound(work.services, {
    ...work,
    mean,
    evaluated: round.aggregated,
    finalRow: (next) => round.lastRow({ type: "committed", version: next, now: work.services.steadyNow() }),
    alsoStored: round.verdict,
  });
  return version;
}

/** Null: what was measured is stored, and there is no version. */
async function commitMeasured(
  { services, task, config }: RoundRunCommon,
  measurement: MeasurementRound,
  round: CompletedRound,
): Promise<null | undefined> {
  const { sums, devices } = (await round.secure?.metricSums()) ?? {
    sums: (round.updates as MetricUpdates).sums,
    devices: round.reported(),
  };
  if (round.ended()) return undefined;
  const measured = measuredOf(measurement.plan, sums);
  round.measured(measured?.examples ?? 0);
  await round.aggregated(measured);
  const finalRow = (): LastRow =>
    round.lastRow({ type: "committed", version: null, now: services.steadyNow() });
  await traced("registry.commit", {}, () =>
    commitMeasurement(services, {
      config,
      task,
      measurement,
      sums,
      devices,
      finalRow,
      alsoStored: round.verdict,
    }),
  );
  return null;
}

/** A gate's round that ended so is run again, when the task goes on. */
const REPEATED: ReadonlySet<string> = new Set([
  "round/task-paused",
  "round/interrupted",
  "round/base-replaced",
  "round/outside-schedule",
]);

/** Stores what follows from the end of a round that made nothing. */
export async function storeAbandoned(
  tx: MetadataRepositories,
  { task, services, config }: RoundRunCommon,
  record: RoundRecord,
): Promise<void> {
  if (record.purpose !== "gate" || REPEATED.has(record.reason ?? "")) return;
  const at = services.env.clock.now();
  const candidate = config.measurement?.candidate?.version ?? null;
  await storeUndecided(tx, task.spec, { task: task.name, roundId: record.id, at, candidate });
}
