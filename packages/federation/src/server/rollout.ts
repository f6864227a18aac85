import { failure } from "@tributary/core";
import {
  NO_COHORTS,
  observeCohorts,
  observeDifference,
  readCohorts,
  readDifference,
  sequentialDifference,
  type DifferenceReading,
} from "@tributary/metrics";
import {
  evidenceOf,
  ROLLOUT_SHARE_UNITS,
  type RolloutGate,
  type RolloutReason,
  type RolloutShare,
  type RolloutSpec,
} from "@tributary/protocol";
import type {
  ArmProgress,
  GateTest,
  RolloutConfig,
  RolloutEffect,
  RolloutInput,
  RolloutProgress,
  RolloutState,
  RolloutTransition,
} from "./rollout-types.ts";

const UNITS_PER_PERCENT = ROLLOUT_SHARE_UNITS / 100;
const NO_VALUES = { devices: 0, values: [] } as const;

/**
 * A rollout at the beginning of its first step.
 *
 * @param options.interval false: nobody looks at the differences, only at what follows
 */
export function initialRollout(
  { spec }: RolloutConfig,
  now: number,
  options: { readonly interval?: boolean } = {},
): RolloutState {
  return {
    phase: "running",
    step: 0,
    since: now,
    startedAt: [now],
    passedAt: [],
    controlDevices: 0,
    arms: spec.arms.map(({ name, version }) => ({
      name,
      version,
      devices: 0,
      tests: spec.gates.map((gate) => firstTest(gate, options)),
      ended: null,
    })),
  };
}

function firstTest(gate: RolloutGate, options: { readonly interval?: boolean }): GateTest {
  return evidenceOf(gate) === "devices"
    ? { evidence: "devices", test: sequentialDifference([gate.margin], options) }
    : { evidence: "cohorts", test: NO_COHORTS };
}

export function rolloutEnded(
  state: RolloutState,
): state is Extract<RolloutState, { readonly endedAt: number }> {
  return "endedAt" in state;
}

/**
 * One step of a rollout, from its state and an input to the next. Evidence is weighed whether it runs or is paused: an arm that is worse ends
 * at once. It goes on to the next step only while it runs.
 *
 * @throws `federation/rollout-ended` for an operator's input after its end, `federation/rollout-state` where the input does not fit
 */
export function stepRollout(
  config: RolloutConfig,
  state: RolloutState,
  input: RolloutInput,
): RolloutTransition {
  const { now } = input;
  if (rolloutEnded(state)) {
    // What devices tell may come late; who asks for something is told.
    if (["devices", "cohorts", "tick", "withdrawn"].includes(input.type)) return { state, effects: [] };
    throw failure("federation/rollout-ended", `rollout: it is ${state.phase}; start another one`, {
      detail: { state: state.phase },
    });
  }
  switch (input.type) {
    case "devices":
      return proceed(config, withDevices(state, input), now);
    case "cohorts":
      return proceed(config, withCohorts(state, input), now);
    case "tick":
      return proceed(config, state, now);
    case "pause":
      if (state.phase === "paused") throw misfit("pause", "it is paused already");
      return { state: paused(state, input.reason, now), effects: [] };
    case "resume":
      if (state.phase !== "paused") throw misfit("resume", "it is running");
      return proceed(config, resumed(state, now), now);
    case "abort":
      return ended(state, { phase: "aborted", reason: input.reason, endedAt: now }, []);
    case "rollback":
      return rolledBack(state, input.reason, now);
    case "promote":
      return promoted(state, input.arm, now);
    case "withdrawn":
      return withoutVersion(config, state, input);
    default: {
      const never: never = input;
      return never;
    }
  }
}

type Live = Extract<RolloutState, { readonly phase: "running" | "paused" }>;

/** Of each false alarm of a rollout, every gate on every arm has its part (Bonferroni). */
export function gateAlpha({ falseAlarmRate, gates, arms }: RolloutSpec): number {
  return falseAlarmRate / Math.max(1, gates.length * arms.length);
}

/** What a gate says of an arm so far. */
export interface GateReading extends DifferenceReading {
  readonly treatedCount: number;
  readonly controlCount: number;
  readonly verdict: "undecided" | "worse" | "not-worse";
}

export function readGate(spec: RolloutSpec, gate: RolloutGate, { evidence, test }: GateTest): GateReading {
  const alpha = gateAlpha(spec);
  const asked = { margin: gate.margin, alpha };
  const reading = evidence === "devices" ? readDifference(test, asked) : readCohorts(test, asked);
  const counts =
    evidence === "devices"
      ? { treatedCount: test.treated.count, controlCount: test.control.count }
      : { treatedCount: test.pairs, controlCount: test.pairs };
  const verdict =
    reading.worse >= 1 / alpha ? "worse" : reading.notWorse >= 1 / alpha ? "not-worse" : "undecided";
  return { ...reading, ...counts, verdict };
}

/** What the step under way still waits for; nothing: it passes. */
export function rolloutWaitsFor({ spec }: RolloutConfig, state: RolloutProgress, now: number): string[] {
  const step = spec.steps[state.step]!;
  const live = state.arms.filter(({ ended }) => ended === null);
  const waits: string[] = [];
  const left = step.minimumMs - (now - state.since);
  if (left > 0) waits.push(timeLeft(left));
  const rests = spec.gates.map(evidenceOf);
  if (rests.includes("devices")) {
    for (const { name, devices } of live) {
      if (devices < step.minimumDevices)
        waits.push(`devices of ${name}: ${devices} of ${step.minimumDevices}`);
    }
    if (state.controlDevices < step.minimumDevices && !isEveryone(step))
      waits.push(`devices of the control: ${state.controlDevices} of ${step.minimumDevices}`);
  }
  for (const [i, gate] of spec.gates.entries()) {
    for (const { name, tests } of live) {
      const { verdict, treatedCount } = readGate(spec, gate, tests[i]!);
      if (rests[i] === "cohorts" && treatedCount < step.minimumCohorts)
        waits.push(`cohorts of ${name} for ${gate.metric}: ${treatedCount} of ${step.minimumCohorts}`);
      if (gate.toPass === "not-worse" && verdict !== "not-worse")
        waits.push(`that ${name} is shown not to be worse by ${gate.metric}`);
    }
  }
  return waits;
}

function timeLeft(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds} more seconds`;
  return seconds < 7200
    ? `${Math.ceil(seconds / 60)} more minutes`
    : `${Math.ceil(seconds / 3600)} more hours`;
}

/** What is signed for devices: all shares up to the step under way, so that nobody who was in a rollout drops out. */
export function rolloutShares(
  { spec, floorShare }: RolloutConfig,
  { step }: Pick<RolloutProgress, "step">,
): RolloutShare[] {
  const shares = new Map<string, RolloutShare>();
  for (const { percent, tags } of spec.steps.slice(0, step + 1)) {
    const key = JSON.stringify([...tags].sort());
    const share = stepShare(percent, floorShare);
    if (share >= (shares.get(key)?.share ?? 0)) shares.set(key, { tags, share });
  }
  return [...shares.values()];
}

/** In ten-thousandths. A step for named devices alone is enlarged for no cohort. */
export function stepShare(percent: number, floorShare: number): number {
  return percent === 0 ? 0 : Math.max(Math.round(percent * UNITS_PER_PERCENT), floorShare);
}

function isEveryone({ percent, tags }: RolloutSpec["steps"][number]): boolean {
  return percent === 100 && tags.length === 0;
}

function withDevices<S extends Live>(
  state: S,
  input: Extract<RolloutInput, { readonly type: "devices" }>,
): S {
  const arms = state.arms.map((arm): ArmProgress => {
    if (arm.ended !== null) return arm;
    const treated = input.arms[arm.name] ?? NO_VALUES;
    const tests = arm.tests.map((each, gate): GateTest => {
      if (each.evidence !== "devices") return each;
      const values = { treated: treated.values[gate] ?? [], control: input.control.values[gate] ?? [] };
      return { ...each, test: observeDifference(each.test, values) };
    });
    return { ...arm, devices: arm.devices + treated.devices, tests };
  });
  return { ...state, arms, controlDevices: state.controlDevices + input.control.devices };
}

function withCohorts<S extends Live>(
  state: S,
  input: Extract<RolloutInput, { readonly type: "cohorts" }>,
): S {
  const arms = state.arms.map((arm): ArmProgress => {
    if (arm.name !== input.arm || arm.ended !== null) return arm;
    const tests = arm.tests.map((each, gate): GateTest =>
      gate === input.gate && each.evidence === "cohorts"
        ? { ...each, test: observeCohorts(each.test, input) }
        : each,
    );
    return { ...arm, tests };
  });
  return { ...state, arms };
}

/** Arms that are worse end; the rest may pass the step. */
function proceed(config: RolloutConfig, before: Live, now: number): RolloutTransition {
  const effects: RolloutEffect[] = [];
  const arms = before.arms.map((arm): ArmProgress => {
    const reason = arm.ended === null ? harmOf(config.spec, arm) : undefined;
    if (reason === undefined) return arm;
    effects.push({ type: "withdraw", version: arm.version, reason });
    return { ...arm, ended: reason };
  });
  // The same object where nothing came of it: then there is nothing to store either.
  const state: Live = effects.length === 0 ? before : { ...before, arms };
  const live = arms.filter(({ ended }) => ended === null);
  if (live.length === 0) {
    const reason = arms.find((arm, i) => arm.ended !== null && before.arms[i]!.ended === null)!.ended!;
    return ended(state, { phase: "rolled-back", reason, endedAt: now }, effects);
  }
  if (state.phase === "paused") return { state, effects };
  if (rolloutWaitsFor(config, state, now).length === 0) return passed(config, state, now, effects);
  const { deadlineMs } = config.spec.steps[state.step]!;
  if (deadlineMs === null || now - state.since < deadlineMs) return { state, effects };
  const message = `step ${state.step + 1} waits for ${rolloutWaitsFor(config, state, now).join("; ")}`;
  return { state: paused(state, { code: "deadline", message }, now), effects };
}

function harmOf(spec: RolloutSpec, { tests, name }: ArmProgress): RolloutReason | undefined {
  for (const [i, gate] of spec.gates.entries()) {
    const reading = readGate(spec, gate, tests[i]!);
    if (reading.verdict !== "worse") continue;
    const { treated, control } = reading;
    const message = `${gate.metric} of ${name}: ${percent(treated)} against ${percent(control)}, worse by more than ${percent(gate.margin)}`;
    return { code: "gate", message };
  }
  return undefined;
}

function percent(value: number | null): string {
  return value === null ? "unknown" : `${(value * 100).toFixed(1)} %`;
}

function passed(
  { spec }: RolloutConfig,
  state: Live,
  now: number,
  effects: readonly RolloutEffect[],
): RolloutTransition {
  const after = { ...state, passedAt: [...state.passedAt, now] };
  if (state.step + 1 < spec.steps.length) {
    const next = { ...after, step: state.step + 1, since: now, startedAt: [...state.startedAt, now] };
    return { state: next, effects: [...effects, { type: "publish" }] };
  }
  const live = state.arms.filter(({ ended }) => ended === null);
  if (live.length === 1) return completed(after, live[0]!, now, effects);
  const message = `${live.map(({ name }) => name).join(", ")} passed every step: promote one of them`;
  // The step is passed once: whoever resumes it lets it go on being compared.
  return { state: paused(state, { code: "several-arms", message }, now), effects };
}

function paused(state: Live, reason: RolloutReason, now: number): Live {
  return { ...state, phase: "paused", reason, pausedAt: now };
}

/** Pauses do not count; whoever resumes one whose time was up, or that waits for a choice, gives it all its time again. */
function resumed(state: Extract<RolloutState, { readonly phase: "paused" }>, now: number): Live {
  const { reason, pausedAt, ...rest } = state;
  const anew = reason.code === "deadline" || reason.code === "several-arms";
  return { ...rest, phase: "running", since: anew ? now : state.since + (now - pausedAt) };
}

function rolledBack(state: Live, reason: RolloutReason, now: number): RolloutTransition {
  const effects = state.arms.flatMap(({ ended, version }): RolloutEffect[] =>
    ended === null ? [{ type: "withdraw", version, reason }] : [],
  );
  const arms = state.arms.map((arm) => ({ ...arm, ended: arm.ended ?? reason }));
  return ended({ ...state, arms }, { phase: "rolled-back", reason, endedAt: now }, effects);
}

function promoted(state: Live, name: string, now: number): RolloutTransition {
  const arm = state.arms.find((each) => each.name === name);
  if (arm === undefined || arm.ended !== null) {
    const why = arm === undefined ? "there is no such arm" : "its version is withdrawn";
    throw misfit("promote", `${name}: ${why}`);
  }
  return completed(state, arm, now, []);
}

function completed(
  state: Live,
  { name, version }: ArmProgress,
  now: number,
  effects: readonly RolloutEffect[],
): RolloutTransition {
  return ended(state, { phase: "completed", arm: name, endedAt: now }, [
    ...effects,
    { type: "release", version },
  ]);
}

function withoutVersion(
  config: RolloutConfig,
  state: Live,
  { version, reason, now }: Extract<RolloutInput, { readonly type: "withdrawn" }>,
): RolloutTransition {
  if (version === config.control) return ended(state, { phase: "aborted", reason, endedAt: now }, []);
  const arms = state.arms.map((arm) =>
    arm.version === version && arm.ended === null ? { ...arm, ended: reason } : arm,
  );
  if (arms.some(({ ended }) => ended === null)) return { state: { ...state, arms }, effects: [] };
  return ended({ ...state, arms }, { phase: "rolled-back", reason, endedAt: now }, []);
}

type End =
  Extract<RolloutState, { readonly endedAt: number }> extends infer E
    ? E extends RolloutProgress
      ? Omit<E, keyof RolloutProgress>
      : never
    : never;

function ended(state: Live, end: End, effects: readonly RolloutEffect[]): RolloutTransition {
  const { step, since, startedAt, passedAt, arms, controlDevices } = state;
  const progress = { step, since, startedAt, passedAt, arms, controlDevices };
  return { state: { ...progress, ...end }, effects: [...effects, { type: "end" }] };
}

function misfit(action: string, why: string): Error {
  return failure("federation/rollout-state", `rollout: cannot ${action}: ${why}`, { detail: { action } });
}
