import type { Policy, Promote, TrainOnDrift } from "@tributary/protocol";
import { drifted, type MeasuredDrift } from "../alerts/watch/drift.ts";
import type { PolicyDecisionRecord } from "../ports/alert-records.ts";
import type { VersionRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";

/** What a policy would do now: what is stored of it is one decision on the evidence that `key` names. */
export type Proposal = Pick<PolicyDecisionRecord, "key" | "object" | "evidence" | "reason" | "rounds">;

/**
 * A task that is prepared, and the last measurements of the telemetry task, the newest first.
 *
 * @param since when the last decision was taken: what was measured before it led to that one
 */
export function proposeTraining(
  { psi, measurements, rounds, telemetryTask }: TrainOnDrift,
  task: TaskRecord,
  last: readonly MeasuredDrift[],
  since: number,
): Proposal | undefined {
  if (task.state === "running" || last.length < measurements) return undefined;
  const looked = last.slice(0, measurements);
  const [newest] = looked;
  if (newest === undefined || looked.some(({ measurement }) => measurement.at <= since)) return undefined;
  const beyond = looked.map((each) => drifted(each, psi));
  const [worst] = beyond[0]!;
  if (worst === undefined || beyond.some((views) => views.length === 0)) return undefined;
  const { roundId, version, devices } = newest.measurement;
  const inARow = measurements === 1 ? "the last measurement" : `${measurements} measurements in a row`;
  return {
    key: roundId,
    object: { model: task.model, version: null, task: task.name },
    rounds,
    reason: `${worst.metric} drifted to a PSI of ${worst.psi.toFixed(3)} (${psi} or more in ${inARow} of ${telemetryTask}): ${task.name} gets ${rounds} rounds`,
    evidence: {
      telemetryTask,
      round: roundId,
      version,
      devices,
      metric: worst.metric,
      psi: Number(worst.psi.toFixed(6)),
      psiLimit: Number(worst.psiLimit.toFixed(6)),
      level: psi,
    },
  };
}

/** The newest version that its gate found good, where it is newer than the champion. */
export function proposePromotion(
  { by, channel, alias, model }: Pick<Promote, "by" | "channel" | "alias" | "model">,
  champion: VersionRecord["version"] | null,
  candidates: readonly VersionRecord[],
  options: { readonly withoutGate?: boolean } = {},
): Proposal | undefined {
  const found = candidates.find(
    ({ version, gate }) =>
      version > (champion ?? 0) && (gate?.result === "passed" || options.withoutGate === true),
  );
  if (found === undefined) return undefined;
  const { version, gate } = found;
  const to =
    by === "alias"
      ? `is called ${alias}`
      : by === "release"
        ? `is released on ${channel}`
        : `is rolled out on ${channel}`;
  return {
    key: `version-${version}`,
    object: { model, version, task: null },
    rounds: 0,
    reason:
      gate === null
        ? `version ${version} of ${model} is new: it ${to}`
        : `version ${version} of ${model} passed its gate against version ${gate.reference}: it ${to}`,
    evidence: {
      champion,
      by,
      ...(gate && {
        round: gate.roundId,
        reference: gate.reference,
        metric: gate.metric,
        improvement: gate.improvement,
        lower: gate.lower,
        upper: gate.upper,
        confidence: gate.confidence,
        devices: gate.devices,
      }),
    },
  };
}

/** Whether a policy may decide now, by when it last did and what it has done in its period. */
export interface Allowance {
  readonly state: "watching" | "cooling-down" | "budget-spent";
  readonly waitsUntil: number | null;
  readonly decisions: number;
  readonly rounds: number;
}

/**
 * @param taken decisions of the policy that did not fail, newest first, at least those of its period
 * @param asked rounds that it would give
 */
export function allowanceOf(
  { cooldownMs, budget }: Pick<Policy, "cooldownMs" | "budget">,
  taken: readonly Pick<PolicyDecisionRecord, "at" | "rounds">[],
  now: number,
  asked = 0,
): Allowance {
  const inPeriod = taken.filter(({ at }) => at > now - budget.periodMs);
  const rounds = inPeriod.reduce((sum, each) => sum + each.rounds, 0);
  const more = { decisions: inPeriod.length, rounds };
  const [last] = taken;
  if (last !== undefined && now < last.at + cooldownMs)
    return { ...more, state: "cooling-down", waitsUntil: last.at + cooldownMs };
  const tooMany = budget.decisions !== null && inPeriod.length >= budget.decisions;
  const tooLong = budget.rounds !== null && rounds + asked > budget.rounds;
  const oldest = inPeriod.at(-1);
  if (tooMany || tooLong)
    return {
      ...more,
      state: "budget-spent",
      waitsUntil: oldest === undefined ? null : oldest.at + budget.periodMs,
    };
  return { ...more, state: "watching", waitsUntil: null };
}
