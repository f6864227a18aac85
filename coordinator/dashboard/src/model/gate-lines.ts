import type { GateView, TaskView, VerdictView } from "@tributary/api-client";
import { formatCount, formatLossChange, formatPoints, formatShare } from "../format/numbers.ts";

/** A gate for people. */
export interface GateLines {
  /** passed, failed or undecided; waiting before the first verdict. */
  readonly state: VerdictView["result"] | "waiting";
  readonly sentence: string;
  /** Interval, requirement and what they rest on; undefined where nothing was decided. */
  readonly evidence: string | undefined;
  /** What happens next, or why nothing does. */
  readonly next: string;
}

const RELEASED = {
  every: "Every version is released; the gate only measures and stops.",
  "on-gate": "Only versions that pass are released.",
  manual: "Versions are released by an operator alone.",
} as const;

/** Where a task's gate stands; undefined where it has none. */
export function gateLines({
  gate,
  spec,
  reason,
}: Pick<TaskView, "gate" | "spec" | "reason">): GateLines | undefined {
  if (gate === null || spec.gate === null) return undefined;
  const { last } = gate;
  return {
    state: last?.result ?? "waiting",
    sentence: last === null ? "No version has been measured yet." : sentenceOf(last),
    evidence: last === null ? undefined : evidenceOf(last),
    next: reason?.code === "gate" ? `Paused: ${reason.message}.` : nextOf(gate, RELEASED[spec.release]),
  };
}

function sentenceOf({ result, reference, metric, improvement, devices }: VerdictView): string {
  if (improvement === null) return `Undecided: ${formatCount(devices)} held-out devices were too few.`;
  const by = metric === "accuracy" ? `${formatPoints(improvement)} points` : formatLossChange(improvement);
  return `The last candidate ${result}: ${metric} improved by ${by} over version ${reference}.`;
}

function evidenceOf(verdict: VerdictView): string | undefined {
  const { metric, lower, upper, requiredImprovement, confidence, examples, devices } = verdict;
  if (lower === null || upper === null) return undefined;
  const format = metric === "accuracy" ? formatPoints : formatLossChange;
  return `${format(lower)} to ${format(upper)}, each bound with ${formatShare(confidence)}; at least ${format(requiredImprovement)} is required. ${formatCount(examples)} examples of ${formatCount(devices)} held-out devices.`;
}

function nextOf({ candidate, failures, patience, reference }: GateView, released: string): string {
  const waits =
    candidate === null ? "" : `Version ${candidate} is being compared with version ${reference}. `;
  const failed = failures === 0 ? "" : `${failures} of ${patience} failures in a row. `;
  return `${waits}${failed}${released}`;
}

/** What a version is to the channel. */
export function releaseWord(
  version: {
    readonly version: number;
    readonly releasedAt: string | null;
    readonly gate: VerdictView | null;
  },
  released: number,
): "released" | "candidate" | "withheld" | "rolled back" | undefined {
  if (version.version === released) return "released";
  if (version.version < released) return undefined;
  if (version.releasedAt !== null) return "rolled back";
  return version.gate?.result === "failed" ? "withheld" : "candidate";
}
