import { failure } from "@tributary/core";
import { advanceGate, gateReason, impossibleIn, judge, type RoundConfig } from "@tributary/federation";
import { createMetrics, pairedMetrics, readPaired } from "@tributary/metrics";
import { STABLE_CHANNEL, type VerdictView } from "@tributary/protocol";
import type { MetadataRepositories, VersionCommit } from "../../ports/metadata-store.ts";
import type { NewEvent } from "../../ports/event-records.ts";
import type { VersionRecord } from "../../ports/model-records.ts";
import type { GateRecord, MeasurementRecord, TaskRecord } from "../../ports/task-records.ts";
import { coordinatorFor } from "../../audit/actors.ts";
import { gateVerdict, taskStopped } from "../../audit/records.ts";
import { followCandidate } from "../../registry/aliases.ts";
import { moveChannel } from "../../registry/release-version.ts";
import { roundEvent, taskEvent, timestamp, versionEvent } from "../../registry/views.ts";
import { publishEvents } from "../commit-round.ts";
import { mayFollow } from "../../rollouts/barred-versions.ts";
import type { RoundServices } from "../round-services.ts";
import type { MeasurementRound } from "./measurement-round.ts";

/** Of what is computed where no gate says how sure it has to be. */
const DEFAULT_CONFIDENCE = 0.95;

export interface MeasurementCommit {
  readonly config: RoundConfig;
  readonly task: TaskRecord;
  readonly measurement: MeasurementRound;
  readonly sums: Float64Array;
  /** Whose vectors are in the sums. */
  readonly devices: number;
  /** The round's final row and the rest of its journal. */
  finalRow(): Pick<Required<VersionCommit>, "round" | "journal">;
  /** What else is stored with it. */
  alsoStored(tx: MetadataRepositories): Promise<readonly NewEvent[]>;
}

/**
 * From sums to a result, in one transaction with the round: stored, and where they are a gate's, judged. A version that passes is
 * released then, if its task releases so.
 *
 * @throws `round/secure-sum-refused` for sums that honest devices cannot have made
 */
export async function commitMeasurement(services: RoundServices, commit: MeasurementCommit): Promise<void> {
  const { env, store } = services;
  const { task, measurement, config, sums } = commit;
  const { model, candidate } = measurement;
  const at = env.clock.now();
  const wrong = impossibleIn(measurement.plan, sums, commit.devices);
  if (wrong !== undefined) {
    throw failure("round/secure-sum-refused", `rounds: the sum has ${wrong.what}`, { detail: wrong.detail });
  }
  const record: MeasurementRecord = {
    roundId: config.roundId,
    task: task.name,
    model: model.name,
    purpose: measurement.purpose,
    version: measurement.current.version,
    candidate: candidate?.version ?? null,
    devices: commit.devices,
    metrics: measurement.plan.metrics,
    sums: Array.from(sums),
    confidence: task.spec.gate?.confidence ?? DEFAULT_CONFIDENCE,
    at,
  };
  const verdict = verdictOf(commit, at);
  const write = async (tx: MetadataRepositories, judged?: VersionRecord): Promise<readonly NewEvent[]> => {
    const { round, journal } = commit.finalRow();
    await tx.rounds.update(round);
    await tx.journal.append(journal);
    await tx.measurements.insert(record);
    const versions = judged === undefined || verdict === undefined ? [] : [{ ...judged, gate: verdict }];
    for (const version of versions) await tx.versions.setGate(version.model, version.version, version.gate);
    if (verdict !== undefined && candidate !== null)
      await tx.audit.append([gateVerdict(task, candidate.version, verdict)], at);
    const after = await storeGate(tx, commit, verdict, at);
    const head = (await tx.models.get(model.name))?.currentVersion ?? model.currentVersion;
    const roundsCommitted = await tx.rounds.countCommitted(task.name);
    return [
      roundEvent(round),
      ...versions.map(versionEvent),
      taskEvent(after, { currentVersion: head, round, roundsCommitted }),
      ...(await commit.alsoStored(tx)),
    ];
  };
  const released =
    candidate !== null &&
    verdict?.result === "passed" &&
    task.spec.release === "on-gate" &&
    (await mayFollow(store, model.name, STABLE_CHANNEL, candidate.version));
  if (released) {
    const by = coordinatorFor({ task: task.name, round: config.roundId });
    await moveChannel(services, { model, channel: STABLE_CHANNEL, version: candidate, at, by }, write);
  } else {
    const events = await store.transaction(async (tx) =>
      tx.events.append(await write(tx, candidate ?? undefined), at),
    );
    await publishEvents(services, events);
  }
  env.log.info("measurement committed", { roundId: config.roundId, gate: verdict?.result ?? null });
}

/** A gate's round that ended without sums decides nothing: the version is not released by it, and training goes on. */
export async function storeUndecided(
  tx: MetadataRepositories,
  { gate: spec }: TaskRecord["spec"],
  round: Pick<MeasurementRecord, "task" | "roundId" | "at" | "candidate">,
): Promise<void> {
  const task = await tx.tasks.get(round.task);
  const { candidate } = round;
  if (spec === null || task === undefined || candidate === null || !awaitsVerdict(task)) return;
  const version = await tx.versions.get(task.model, candidate);
  const verdict = judge(spec, {
    sums: NOTHING,
    devices: 0,
    reference: task.gate.reference,
    roundId: round.roundId,
    at: timestamp(round.at),
    knowsHits: false,
  });
  if (version !== undefined) await tx.versions.setGate(task.model, candidate, verdict);
  await tx.audit.append([gateVerdict(task, candidate, verdict)], round.at);
  await tx.tasks.setGate(task.name, advanceGate(task.gate, candidate, verdict));
  await followCandidate(tx, task.model, round.at);
}

const NOTHING = Object.freeze(readPaired(createMetrics(pairedMetrics)));

function verdictOf(
  { task, measurement, sums, devices, config }: MeasurementCommit,
  at: number,
): VerdictView | undefined {
  const { gate } = task.spec;
  const { plan } = measurement;
  if (gate === null || measurement.purpose !== "gate" || plan.kind !== "evaluate") return undefined;
  return judge(gate, {
    sums: readPaired(sums),
    devices,
    reference: measurement.current.version,
    roundId: config.roundId,
    at: timestamp(at),
    knowsHits: plan.evaluation.spec.noHits !== true,
  });
}

/** A gate that began anew meanwhile, with a version that somebody published, waits for none. */
function awaitsVerdict(task: TaskRecord): task is TaskRecord & { readonly gate: GateRecord } {
  return task.gate !== null && task.gate.candidate !== null;
}

/** The task as it is stored then; a gate that has lost its patience pauses it. */
async function storeGate(
  tx: MetadataRepositories,
  { task, measurement }: MeasurementCommit,
  verdict: VerdictView | undefined,
  at: number,
): Promise<TaskRecord> {
  const now = (await tx.tasks.get(task.name)) ?? task;
  const candidate = measurement.candidate?.version;
  if (verdict === undefined || candidate === undefined || now.spec.gate === null || !awaitsVerdict(now))
    return now;
  const gate: GateRecord = advanceGate(now.gate, candidate, verdict);
  await tx.tasks.setGate(task.name, gate);
  await followCandidate(tx, task.model, at);
  const reason = gateReason(gate, now.spec.gate);
  if (reason === undefined || now.state !== "running") return { ...now, gate };
  await tx.tasks.setState(task.name, "paused", { reason });
  const paused: TaskRecord = { ...now, gate, state: "paused", reason };
  await tx.audit.append([taskStopped(paused, verdict.roundId)], at);
  return paused;
}
