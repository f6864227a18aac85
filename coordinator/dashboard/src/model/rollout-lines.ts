import type { RolloutChange, RolloutGateView, RolloutView } from "@tributary/api-client";
import { formatShare, NONE } from "../format/numbers.ts";

type Comparison = RolloutGateView["comparisons"][number];

/** What a button does, before it does it. */
export interface RolloutAction {
  readonly action: RolloutChange["action"];
  readonly label: string;
  readonly consequence: string;
  /** It takes something away. */
  readonly hurts: boolean;
  /** Told afterwards. */
  readonly done: string;
  /** Of several arms the one that is released. */
  readonly arm?: string;
}

export const ROLLOUT_STATES = {
  running: "running",
  paused: "paused",
  completed: "completed",
  "rolled-back": "rolled back",
  aborted: "ended",
} as const satisfies Record<RolloutView["state"], string>;

/** Where it stands: `step 2 of 4, 10 %`. */
export function rolloutStep({ steps }: RolloutView): string {
  const at = steps.findIndex(({ state }) => state === "current");
  const passed = steps.filter(({ state }) => state === "passed").length;
  const step = steps[at];
  return step === undefined
    ? `${passed} of ${steps.length} passed`
    : `${at + 1} of ${steps.length}, ${step.share / 100} %`;
}

/** What its gates have found so far: `2 of 3 decided`. */
export function gatesInShort({ gates }: RolloutView): string {
  const found = gates.flatMap(({ comparisons }) => comparisons.map(({ verdict }) => verdict));
  const worse = found.filter((verdict) => verdict === "worse").length;
  if (gates.length === 0) return "none";
  if (worse > 0) return `${worse} worse`;
  const decided = found.filter((verdict) => verdict === "not-worse").length;
  return `${decided} of ${Math.max(found.length, gates.length)} decided`;
}

const METRICS: Readonly<Record<RolloutGateView["metric"], string>> = {
  crashes: "Crashed devices",
  "self-checks": "Failed self-checks",
  errors: "Failed calls",
  latency: "Slow runs",
  accuracy: "Wrong answers",
  confidence: "Lack of confidence",
  drift: "Drift of predictions",
};

export function gateTitle({ metric, latencyMs }: RolloutGateView): string {
  return latencyMs === undefined ? METRICS[metric] : `Runs of ${latencyMs} ms and more`;
}

/** What an operator may do with a rollout now. */
export function rolloutActions(view: RolloutView): readonly RolloutAction[] {
  const { state, control, channel, arms } = view;
  if (state !== "running" && state !== "paused") return [];
  const tried = arms.filter((arm) => arm.state === "tried");
  const versions = tried.map(({ version }) => version).join(", ");
  const flow: RolloutAction =
    state === "running"
      ? {
          action: "pause",
          label: "Pause",
          hurts: false,
          done: "The rollout is paused.",
          consequence:
            "No further step begins. Devices keep what they run, and what does worse is still taken back.",
        }
      : {
          action: "resume",
          label: "Resume",
          hurts: false,
          done: "The rollout goes on.",
          consequence: "The step under way goes on.",
        };
  return [
    flow,
    ...tried.map(({ name, version }): RolloutAction => ({
      action: "promote",
      arm: name,
      label: `Release version ${version}`,
      hurts: true,
      done: `Version ${version} is released.`,
      consequence: `Channel ${channel} moves to version ${version} for all devices at once, without the steps that are left.`,
    })),
    {
      action: "abort",
      label: "End",
      hurts: true,
      done: "The rollout is ended.",
      consequence: `Devices go back to version ${control}. ${versions} may be tried again.`,
    },
    {
      action: "rollback",
      label: "Roll back",
      hurts: true,
      done: "The rollout is taken back.",
      consequence: `${tried.length === 1 ? `Version ${versions} is` : `Versions ${versions} are`} withdrawn for good: devices go back to version ${control}, and training to before it.`,
    },
  ];
}

/** One sentence on what a gate has found of an arm. */
export function comparisonLine(gate: RolloutGateView, found: Comparison): string {
  const { verdict, treatedCount, controlCount, worse, notWorse } = found;
  const of = `${treatedCount} ${gate.evidence} against ${controlCount}`;
  const needed = eValue(1 / gate.alpha);
  if (verdict === "worse")
    return `Worse by more than ${formatShare(gate.margin)}: e-value ${eValue(worse)} of ${needed}, of ${of}.`;
  if (verdict === "not-worse")
    return `Not worse by as much as ${formatShare(gate.margin)}: e-value ${eValue(notWorse)} of ${needed}, of ${of}.`;
  return `Undecided at a margin of ${formatShare(gate.margin)}: e-value ${eValue(worse)} for worse, ${eValue(notWorse)} for not worse, ${needed} decides; of ${of}.`;
}

/** How far an e-value has come to where it decides, on a logarithmic scale; below 1 it says nothing. */
export function evidence(value: number, alpha: number): { readonly words: string; readonly share: number } {
  const share = value <= 1 ? 0 : Math.min(1, Math.log(value) / Math.log(1 / alpha));
  return { words: `e-value ${eValue(value)} of ${eValue(1 / alpha)}`, share };
}

export function meanOf(value: number | null): string {
  return value === null ? NONE : formatShare(value);
}

/** Where the interval of a difference, its margin and no difference lie, from 0 to 100: the further right, the worse. */
export function differenceMarks({ lower, upper, difference }: Comparison, margin: number) {
  const reach = Math.min(
    1,
    1.25 *
      Math.max(
        margin * 2,
        Math.abs(difference ?? 0),
        0.02,
        Math.min(Math.abs(upper), 0.5),
        Math.min(Math.abs(lower), 0.5),
      ),
  );
  const at = (value: number): number => 50 + 50 * Math.min(1, Math.max(-1, value / reach));
  return {
    lower: at(lower),
    upper: at(upper),
    difference: difference === null ? undefined : at(difference),
    margin: at(margin),
  };
}

function eValue(value: number): string {
  if (value >= 100_000) return "over 100,000";
  return value.toLocaleString("en", { maximumSignificantDigits: 2 });
}
