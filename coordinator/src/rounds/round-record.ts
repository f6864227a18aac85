import type { ModelName } from "@tributary/core";
import { roundCounts, roundDeadline, type RoundConfig, type RoundState } from "@tributary/federation";
import { summarizeTraining } from "@tributary/metrics";
import type { SecureView } from "@tributary/protocol";
import { DEFAULT_MINIMUM_COHORT } from "@tributary/secagg";
import type { JsonValue } from "../ports/json.ts";
import type { PhaseRecord, RoundRecord } from "../ports/round-records.ts";

/** What a round's row shows beside its machine's state. */
export interface RoundFacts {
  readonly model: ModelName;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** Those before the one it is in, or that one too. */
  readonly phases: readonly PhaseRecord[];
  readonly now: number;
  /** From the first offer to the end. */
  readonly seconds: number | null;
  /** How far the wall clock is ahead of the time that deadlines are kept by. */
  readonly clockAheadMs: number;
  readonly numExamples: number;
  readonly metrics: Float64Array;
  /** Whether the task's loss tells right from wrong. */
  readonly knowsHits: boolean;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Of the new version, on held-out data. */
  readonly loss: number | null;
  readonly accuracy: number | null;
  /** In secure rounds: how much of the masks has been taken off. */
  readonly unmasked: number;
}

/** The row of a round as it stands. */
export function roundRecord(config: RoundConfig, state: RoundState, facts: RoundFacts): RoundRecord {
  const { metrics, knowsHits, clockAheadMs, unmasked, phases, now, ...rest } = facts;
  const counts = roundCounts(state);
  // Whoever watches sees members reporting; `secure` says how.
  const phase = state.phase === "securing" ? "reporting" : state.phase;
  const deadline = roundDeadline(state);
  const { loss: trainLoss, accuracy: trainAccuracy } = summarizeTraining(metrics);
  const { plan, weights, control, secure, measurement, ...rules } = config;
  return {
    id: config.roundId,
    task: config.task,
    number: config.round,
    purpose: measurement?.purpose ?? "train",
    phase,
    phases:
      phases.at(-1)?.phase === phase ? phases : [...phases, { phase, at: now, dropouts: counts.dropouts }],
    baseVersion: config.baseVersion,
    version: state.phase === "committed" ? state.version : null,
    deadlineAt: deadline === null ? null : deadline + clockAheadMs,
    ...counts,
    trainLoss,
    trainAccuracy: knowsHits ? trainAccuracy : null,
    reason: state.phase === "abandoned" ? state.code : null,
    config: {
      ...rules,
      plan: { ...plan },
      weights: { ...weights },
      ...(control === undefined ? {} : { control: { ...control } }),
      secure: secure && { ...secure },
      ...(measurement === undefined
        ? {}
        : {
            measurement: { ...measurement, candidate: measurement.candidate && { ...measurement.candidate } },
          }),
    } satisfies JsonValue,
    secure: secure && secureView(config, state, unmasked),
    ...rest,
  };
}

function secureView(config: RoundConfig, state: RoundState, unmasked: number): SecureView {
  const tally = state.secure ?? {
    step: "advertise",
    cohort: 0,
    threshold: config.minimumCount,
    survivors: 0,
    lost: { advertise: 0, share: 0, mask: 0, sign: 0, unmask: 0 },
  };
  return { ...tally, private: tally.threshold >= DEFAULT_MINIMUM_COHORT, unmasked };
}
