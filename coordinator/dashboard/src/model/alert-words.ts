import type { AlertRuleView, AlertView, PolicyView, SilenceView } from "@tributary/api-client";
import { modelHref, rolloutHref, taskHref, versionHref } from "../addresses.ts";

// What alerts, their rules and policies say, in words.

/** What the mark beside an alert says. */
export function alertState({ state, acknowledgement, silencedUntil }: AlertView): string {
  if (state !== "firing") return state;
  if (silencedUntil !== null) return "silenced";
  return acknowledgement === null ? "firing" : "acknowledged";
}

/** The page that tells more of what an alert is about; undefined: there is none. */
export function alertHref({
  subject: { model, version, task, rollout },
}: Pick<AlertView, "subject">): string | undefined {
  if (model !== undefined && rollout !== undefined) return rolloutHref(model, rollout);
  if (task !== undefined) return taskHref(task);
  if (model === undefined) return undefined;
  return version === undefined ? modelHref(model) : versionHref(model, version);
}

/** "3 rounds", "5 %", "0.2 psi" */
export function thresholdWords({ appliedThreshold, unit }: AlertRuleView): string {
  if (appliedThreshold === null || unit === null) return "";
  if (unit === "share") return `${Number((100 * appliedThreshold).toPrecision(3))} %`;
  if (unit === "psi") return `PSI ${appliedThreshold}`;
  return `${appliedThreshold} ${appliedThreshold === 1 ? unit.replace(/s$/, "") : unit}`;
}

/** "30 minutes", "2 hours" */
export function durationWords(ms: number): string {
  for (const [unit, size] of [
    ["day", 86_400_000],
    ["hour", 3_600_000],
    ["minute", 60_000],
  ] as const)
    if (ms >= size && ms % size === 0) return `${ms / size} ${unit}${ms === size ? "" : "s"}`;
  return `${Math.round(ms / 1_000)} seconds`;
}

/** "of rule drift, model digits" */
export function silenceWords({ matcher }: Pick<SilenceView, "matcher">): string {
  return Object.entries(matcher)
    .map(([field, value]) => `${field} ${value}`)
    .join(", ");
}

/** What a policy does, as one sentence. */
export function policyWords({ does }: Pick<PolicyView, "does">): string {
  if (does.kind === "train-on-drift")
    return `Gives ${does.task} ${does.rounds} rounds where what ${does.telemetryTask} measures drifts to a PSI of ${does.psi}, ${does.measurements} times in a row`;
  const by = {
    rollout: `rolls out on ${does.channel}`,
    release: `releases on ${does.channel}`,
    alias: `calls ${does.alias}`,
  }[does.by];
  return `What its gate found good of ${does.model} it ${by}`;
}

const POLICY_STATES = {
  disabled: "disabled",
  watching: "watching",
  "cooling-down": "cooling down",
  "budget-spent": "budget spent",
} as const;

export function policyState({ state, dryRun }: Pick<PolicyView, "state" | "dryRun">): string {
  return dryRun && state !== "disabled" ? `${POLICY_STATES[state]}, dry run` : POLICY_STATES[state];
}
