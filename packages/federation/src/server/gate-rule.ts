import type { ModelVersion, RoundId } from "@tributary/core";
import {
  accuracyInterval,
  lossInterval,
  mcNemarTest,
  type PairedInterval,
  type PairedSums,
} from "@tributary/metrics";
import type { GateSpec, GateView, TaskReason, VerdictView } from "@tributary/protocol";

/** Where a task's gate stands. */
export type GateState = Readonly<Omit<GateView, "patience">>;

/** What a gate's round measured. */
export interface GateMeasurement {
  readonly sums: PairedSums;
  /** Whose vectors are in the sums. */
  readonly devices: number;
  readonly reference: ModelVersion;
  readonly roundId: RoundId;
  /** RFC 3339. */
  readonly at: string;
  /** Whether the task's loss tells right from wrong. */
  readonly knowsHits: boolean;
}

/**
 * Whether a candidate passes: the improvement is at least the required one with the gate's confidence, by the lower bound of the
 * paired interval over devices. Fewer devices than the gate asks for, or than it takes for an interval, decide nothing.
 */
export function judge(gate: GateSpec, measured: GateMeasurement): VerdictView {
  const { devices, knowsHits } = measured;
  const sums = { ...measured.sums, devices };
  const { metric, confidence, requiredImprovement } = gate;
  const found =
    devices < gate.minimumDevices
      ? undefined
      : metric === "loss"
        ? reversed(lossInterval(sums, confidence))
        : accuracyInterval(sums, confidence);
  return {
    result: found === undefined ? "undecided" : found.lower >= requiredImprovement ? "passed" : "failed",
    metric,
    reference: measured.reference,
    devices,
    examples: sums.examples,
    improvement: found?.mean ?? null,
    lower: found?.lower ?? null,
    upper: found?.upper ?? null,
    requiredImprovement,
    confidence,
    mcNemarP: knowsHits ? (mcNemarTest(sums) ?? null) : null,
    roundId: measured.roundId,
    at: measured.at,
  };
}

/** Less loss is an improvement. */
function reversed(interval: PairedInterval | undefined): PairedInterval | undefined {
  return interval && { ...interval, mean: -interval.mean, lower: -interval.upper, upper: -interval.lower };
}

/**
 * The gate after a verdict. A candidate that passed is what the next ones are compared with; one that failed is not. What is
 * undecided counts for nothing. A version that came meanwhile, in buffered mode, goes on waiting.
 */
export function advanceGate(before: GateState, candidate: ModelVersion, verdict: VerdictView): GateState {
  const waiting = before.candidate === candidate ? null : before.candidate;
  const next = { ...before, candidate: waiting, last: verdict };
  switch (verdict.result) {
    case "passed":
      return { ...next, reference: candidate, failures: 0 };
    case "undecided":
      return next;
    case "failed":
      return { ...next, failures: before.failures + 1 };
  }
}

/** Why a task pauses: as many versions in a row failed as its gate is patient. Undefined: it goes on. */
export function gateReason(
  { failures, reference }: GateState,
  { patience, metric }: Pick<GateSpec, "patience" | "metric">,
): TaskReason | undefined {
  if (failures < patience) return undefined;
  const failed = failures === 1 ? "1 version" : `${failures} versions in a row`;
  const message = `${failed} did not pass the gate on ${metric}; the last that did is ${reference}`;
  return { code: "gate", message };
}
