import type { GateView, TaskView, VerdictView } from "@tributary/api-client";
import { formatCount, formatLossChange, formatPoints, formatShare } from "../format/numbers.ts";

/** A gate for people. */
export interface GateLines {
  /** passed, failed or undecided; waiting before the first verdict. */
  readonly state: VerdictView["result"] | "waiting";
  readonly sentence: string;
  /** The improvement's interval and what is required, as numbers and in words; undefined where nothing was decided. */
  readonly interval:
    | {
        readonly lower: number;
        readonly improvement: number;
        readonly upper: number;
        readonly required: number;
        readonly low: string;
        readonly high: string;
        readonly needed: string;
      }
    | undefined;
  /** Interval, requirement and what they rest on; undefined where nothing was decided. */
  readonly evidence: string | undefined;
  /** What happens next, or why nothing does. */
  readonly next: string;
}

const RELEASED = {
  every: "Every version is released; the gate only measures and stops.",
  "on-gate": "Only versions that pass are released.",
  rollout: "Versions that pass are rolled out in steps.",
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
    interval: last === null ? undefined : intervalOf(last),
    evidence: last === null ? undefined : evidenceOf(last),
    next:
      reason?.code === "gate" ? `Paused after ${failuresOf(gate)}.` : nextOf(gate, RELEASED[spec.release]),
  };
}

/** "its loss is 0.743 higher than that of version 1" */
function sentenceOf({ result, reference, metric, improvement, devices }: VerdictView): string {
  if (improvement === null) return `Undecided: ${formatCount(devices)} held-out devices were too few.`;
  const [higher, lower] = metric === "accuracy" ? ["higher", "lower"] : ["lower", "higher"];
  const size = format(metric, Math.abs(improvement)).replace(/^\+/, "");
  const points = metric === "accuracy" ? `${size} points` : size;
  const differs =
    Number(size) === 0 || size.startsWith("±")
      ? "the same as"
      : `${points} ${improvement > 0 ? higher : lower} than`;
  return `The last candidate ${result}: its ${metric} is ${differs} that of version ${reference}.`;
}

function intervalOf(verdict: VerdictView): GateLines["interval"] {
  const { metric, lower, improvement, upper, requiredImprovement: required } = verdict;
  if (lower === null || upper === null || improvement === null) return undefined;
  return {
    lower,
    improvement,
    upper,
    required,
    low: format(metric, lower),
    high: format(metric, upper),
    needed: format(metric, required),
  };
}

function evidenceOf(verdict: VerdictView): string | undefined {
  const interval = intervalOf(verdict);
  if (interval === undefined) return undefined;
  const { confidence, examples, devices, requiredImprovement, metric } = verdict;
  const unit = metric === "accuracy" ? " points" : "";
  const needed =
    requiredImprovement === 0 ? "it may not be below 0" : `at least ${interval.needed}${unit} is required`;
  return `Improvement between ${interval.low} and ${interval.high}${unit}, each bound with ${formatShare(confidence)} confidence; ${needed}. Measured on ${formatCount(examples)} examples of ${formatCount(devices)} held-out devices.`;
}

function format(metric: VerdictView["metric"], value: number): string {
  return metric === "accuracy" ? formatPoints(value) : formatLossChange(value);
}

function failuresOf({ failures, reference }: GateView): string {
  return `${failures === 1 ? "1 failure" : `${failures} failures in a row`}; version ${reference} is the last that passed`;
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
