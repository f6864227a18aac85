import { asModelVersion, seededRandom, type SeededRandom } from "@tributary/core";
import { evidenceOf, type RolloutGate, type RolloutSimulation, type RolloutSpec } from "@tributary/protocol";
import { initialRollout, rolloutEnded, rolloutShares, stepRollout } from "./rollout.ts";
import type { RolloutConfig, RolloutState, WatchedDevices } from "./rollout-types.ts";

/** Means by gate, more is worse: what devices of the control show, and how much more those of an arm. */
export interface SimulatedRates {
  readonly control: readonly number[];
  readonly harm: readonly number[];
}

/** The fleet that a simulation has. */
export interface RolloutWorld {
  readonly devices: number;
  /** Looks at the evidence within the minimum duration of each step: more looks are more chances of a false alarm, if there were any. */
  readonly looksPerStep: number;
  readonly rates: SimulatedRates;
}

/** Standard deviation of the mean of a cohort, where a gate rests on sums: cohorts of sixteen with some twenty answers each. */
const COHORT_DEVIATION = 0.025;
/** Pairs of cohorts in each look. */
const COHORTS_PER_LOOK = 1;

/**
 * Plays whole rollouts with the chosen steps and gates, of versions that are alike and of one that does the stated harm, and
 * counts how many are taken back: the false-alarm rate and the power. Devices that crash or fail are drawn, not modelled; shares are
 * drawn as yes or no, which spreads them most.
 */
export function simulateRollouts(
  spec: RolloutSpec,
  world: RolloutWorld,
  { rollouts, seed }: { readonly rollouts: number; readonly seed: number },
): RolloutSimulation {
  const random = seededRandom(`rollouts ${seed}`);
  const alike = { ...world, rates: { ...world.rates, harm: world.rates.harm.map(() => 0) } };
  const { gates } = spec;
  // As much worse as is let pass: where a false alarm is likeliest.
  const atMargin = {
    ...world,
    rates: {
      ...world.rates,
      harm: gates.map(({ margin }, i) => Math.min(margin, 1 - world.rates.control[i]!)),
    },
  };
  const all = Array.from({ length: rollouts }, (_, i) => i);
  const same = all.map((i) => play(spec, alike, random.fork(`alike ${i}`)));
  const tolerated = all.map((i) => play(spec, atMargin, random.fork(`tolerated ${i}`)));
  const worse = all.map((i) => play(spec, world, random.fork(`worse ${i}`)));
  const isBack = ({ phase }: RolloutState): boolean => phase === "rolled-back";
  const caught = worse.filter(isBack);
  return {
    seed,
    rollouts,
    falseAlarmRate: same.filter(isBack).length / rollouts,
    falseAlarmRateAtMargin: tolerated.filter(isBack).length / rollouts,
    power: caught.length / rollouts,
    devicesToRollBack: median(caught.map(({ arms }) => arms.reduce((sum, { devices }) => sum + devices, 0))),
    percentAtRollBack: median(caught.map(({ step }) => spec.steps[step]!.percent)),
    completed:
      same.filter((state) => state.phase === "completed" || isWaitingForChoice(state)).length / rollouts,
  };
}

function isWaitingForChoice(state: RolloutState): boolean {
  return state.phase === "paused" && state.reason.code === "several-arms";
}

/** One rollout, until it ends or waits for somebody. Every device is watched once, in the step that it comes in. */
function play(
  spec: RolloutSpec,
  { devices, looksPerStep, rates }: RolloutWorld,
  random: SeededRandom,
): RolloutState {
  const config: RolloutConfig = { spec, control: asModelVersion(2 ** 32 - 1), floorShare: 0 };
  let now = 0;
  let state = initialRollout(config, now, { interval: false });
  const given = new Map<string, number>();
  let controls = 0;
  for (let looks = 0; looks < 100 * looksPerStep * spec.steps.length; looks++) {
    const { step } = state;
    const share = Math.max(...rolloutShares(config, state).map((each) => each.share)) / 10_000;
    const lookMs = Math.max(1, Math.ceil(spec.steps[step]!.minimumMs / looksPerStep));
    const left = Math.max(1, looksPerStep - Math.floor((now - state.since) / lookMs));
    now += lookMs;
    const treated = Math.floor((devices * share) / state.arms.length);
    const arms: Record<string, WatchedDevices> = {};
    for (const { name, ended } of state.arms) {
      const more = ended === null ? Math.ceil((treated - (given.get(name) ?? 0)) / left) : 0;
      given.set(name, (given.get(name) ?? 0) + more);
      arms[name] = watched(spec, more, random, (gate) => rates.control[gate]! + rates.harm[gate]!);
    }
    const moreControl = Math.max(0, Math.floor((devices * (1 - share) - controls) / left));
    controls += moreControl;
    const control = watched(spec, moreControl, random, (gate) => rates.control[gate]!);
    state = stepRollout(config, state, { type: "devices", now, control, arms }).state;
    for (const [gate, each] of spec.gates.entries()) {
      if (evidenceOf(each) !== "cohorts") continue;
      for (const { name, ended } of state.arms) {
        for (let pair = 0; pair < COHORTS_PER_LOOK && ended === null && !rolloutEnded(state); pair++) {
          const mean = (harm: number): number =>
            bounded(rates.control[gate]! + harm + COHORT_DEVIATION * random.normal());
          const means = { treated: mean(rates.harm[gate]!), control: mean(0) };
          state = stepRollout(config, state, { type: "cohorts", now, arm: name, gate, ...means }).state;
        }
      }
    }
    if (rolloutEnded(state) || state.phase === "paused") return state;
    // Where there is nobody left to watch, nothing changes any more before the deadline.
    if (state.step === step && left === 1 && treated <= Math.max(...given.values())) {
      if (spec.gates.every((gate) => evidenceOf(gate) === "devices")) break;
    }
  }
  return state;
}

function watched(
  { gates }: RolloutSpec,
  devices: number,
  random: SeededRandom,
  rate: (gate: number) => number,
): WatchedDevices {
  const values = gates.map((gate: RolloutGate, i) =>
    evidenceOf(gate) === "devices"
      ? Array.from({ length: devices }, () => (random.next() < rate(i) ? 1 : 0))
      : [],
  );
  return { devices, values };
}

function bounded(value: number): number {
  return Math.min(1, Math.max(0, value));
}

function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
