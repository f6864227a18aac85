import { asModelVersion } from "@tributary/core";
import {
  initialRollout,
  rolloutEnded,
  rolloutShares,
  rolloutWaitsFor,
  simulateRollouts,
  stepRollout,
  type RolloutConfig,
  type RolloutEffect,
  type RolloutInput,
  type RolloutState,
} from "@tributary/federation";
import { parseRolloutSpec, type RolloutReason } from "@tributary/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const OPERATOR: RolloutReason = { code: "operator", message: "an operator said so" };
const HOUR = 3_600_000;

function configOf(document: Record<string, unknown> = {}, floorShare = 0): RolloutConfig {
  const spec = parseRolloutSpec({ arms: [{ name: "b", version: 2 }], ...document });
  return { spec, control: asModelVersion(1), floorShare };
}

const watched = (gates: number, devices: number, value: number) => ({
  devices,
  values: Array.from({ length: gates }, () => Array.from({ length: devices }, () => value)),
});

function run(config: RolloutConfig, inputs: readonly RolloutInput[], from?: RolloutState) {
  let state = from ?? initialRollout(config, 0);
  const effects: RolloutEffect[] = [];
  for (const input of inputs) {
    const after = stepRollout(config, state, input);
    state = after.state;
    effects.push(...after.effects);
  }
  return { state, effects };
}

/** Enough devices, none of which shows anything. */
const fine = (config: RolloutConfig, now: number, devices = 20): RolloutInput => ({
  type: "devices",
  now,
  control: watched(config.spec.gates.length, devices, 0),
  arms: Object.fromEntries(
    config.spec.arms.map(({ name }) => [name, watched(config.spec.gates.length, devices, 0)]),
  ),
});

describe("a rollout", () => {
  test("goes from step to step once each had its time and its devices, and releases the arm at the end", () => {
    const config = configOf();
    expect(rolloutWaitsFor(config, initialRollout(config, 0), 0)).toEqual([
      "60 more minutes",
      "devices of b: 0 of 5",
      "devices of the control: 0 of 5",
    ]);
    const early = run(config, [fine(config, HOUR - 1)]);
    expect(early).toMatchObject({ state: { phase: "running", step: 0 }, effects: [] });
    // A look that finds nothing leaves nothing to be stored.
    expect(stepRollout(config, early.state, { type: "tick", now: HOUR - 1 }).state).toBe(early.state);
    const ticks = [1, 2, 3].map((hours): RolloutInput => ({ type: "tick", now: hours * HOUR }));
    const later = run(config, ticks, early.state);
    expect(later.state).toMatchObject({ step: 3, passedAt: [HOUR, 2 * HOUR, 3 * HOUR] });
    expect(later.effects).toEqual([{ type: "publish" }, { type: "publish" }, { type: "publish" }]);
    expect(rolloutShares(config, later.state)).toEqual([{ tags: [], share: 10_000 }]);
    const end = run(config, [{ type: "tick", now: 4 * HOUR }], later.state);
    expect(end.state).toMatchObject({ phase: "completed", arm: "b", endedAt: 4 * HOUR });
    expect(end.effects).toEqual([{ type: "release", version: 2 }, { type: "end" }]);
  });

  test("is taken back by few devices that all crash, whether it runs or is paused, and withdraws its version", () => {
    const config = configOf();
    const bad = (now: number): RolloutInput => ({
      type: "devices",
      now,
      control: watched(3, 4, 0),
      arms: { b: watched(3, 1, 1) },
    });
    for (const before of [[], [{ type: "pause", now: 0, reason: OPERATOR }]] as const) {
      const { state, effects } = run(config, [...before, ...Array.from({ length: 6 }, (_, i) => bad(i))]);
      expect(state).toMatchObject({ phase: "rolled-back", reason: { code: "gate" } });
      expect(effects).toMatchObject([{ type: "withdraw", version: 2 }, { type: "end" }]);
    }
  });

  test("of several arms ends the one that is worse, and lets an operator choose among the rest", () => {
    const arms = [
      { name: "b", version: 2 },
      { name: "c", version: 3 },
      { name: "d", version: 4 },
    ];
    const config = configOf({ arms, steps: [{ percent: 100, minimumMs: 0, minimumDevices: 2 }] });
    const look = (now: number): RolloutInput => ({
      type: "devices",
      now,
      control: watched(3, 4, 0),
      arms: { b: watched(3, 1, 0), c: watched(3, 1, 1), d: watched(3, 1, 0) },
    });
    const { state, effects } = run(config, [
      { type: "pause", now: 0, reason: OPERATOR },
      ...[1, 2, 3, 4, 5, 6, 7].map(look),
    ]);
    expect(effects).toMatchObject([{ type: "withdraw", version: 3 }]);
    const waiting = run(config, [{ type: "resume", now: 10 }], state);
    expect(waiting.state).toMatchObject({ phase: "paused", reason: { code: "several-arms" } });
    expect(() => run(config, [{ type: "promote", now: 11, arm: "c" }], waiting.state)).toThrow(/withdrawn/);
    const end = run(config, [{ type: "promote", now: 11, arm: "d" }], waiting.state);
    expect(end.effects).toEqual([{ type: "release", version: 4 }, { type: "end" }]);
  });

  test("that may not pass by its deadline pauses and says what it waits for; pauses take no time", () => {
    const config = configOf({ steps: [{ percent: 5, deadlineMs: 2 * HOUR }] });
    const late = run(config, [{ type: "tick", now: 2 * HOUR }]);
    expect(late.state).toMatchObject({ phase: "paused", reason: { code: "deadline" } });
    const again = run(config, [{ type: "resume", now: 50 * HOUR }], late.state);
    expect(again.state).toMatchObject({ phase: "running", since: 50 * HOUR });
    const rested = run(config, [
      { type: "pause", now: HOUR / 2, reason: OPERATOR },
      { type: "resume", now: 9 * HOUR },
      fine(config, 9 * HOUR + HOUR / 2 - 1),
    ]);
    expect(rested.state.phase).toBe("running");
    expect(run(config, [{ type: "tick", now: 9 * HOUR + HOUR / 2 }], rested.state).state.phase).toBe(
      "completed",
    );
  });

  test("compares cohorts where a gate rests on sums, and enlarges its steps so that they are filled", () => {
    const config = configOf(
      {
        telemetryTask: "how-it-runs",
        gates: [{ metric: "accuracy", margin: 0.02, toPass: "not-worse" }],
        steps: [{ percent: 1, minimumMs: 0 }, { percent: 10 }],
      },
      350,
    );
    const pair = (treated: number) =>
      Array.from({ length: 12 }, (_, i): RolloutInput => ({
        type: "cohorts",
        now: i,
        arm: "b",
        gate: 0,
        treated: treated + (i % 2) / 100,
        control: 0.1,
      }));
    expect(rolloutShares(config, initialRollout(config, 0))).toEqual([{ tags: [], share: 350 }]);
    expect(run(config, pair(0.2)).state).toMatchObject({ phase: "rolled-back" });
    const good = run(config, pair(0.05));
    expect(good.state).toMatchObject({ phase: "running", step: 1 });
    expect(rolloutShares(config, good.state)).toEqual([{ tags: [], share: 1000 }]);
  });

  test("ends with its control's withdrawal, and with that of its only arm", () => {
    const config = configOf();
    const withdrawn = (version: number): RolloutInput => ({
      type: "withdrawn",
      now: 1,
      version: asModelVersion(version),
      reason: { code: "withdrawn", message: "it answers nonsense" },
    });
    expect(run(config, [withdrawn(1)]).state.phase).toBe("aborted");
    expect(run(config, [withdrawn(2)]).state.phase).toBe("rolled-back");
    expect(run(config, [withdrawn(9)]).state.phase).toBe("running");
  });
});

describe("in whatever order things come", () => {
  const reason = fc.constant(OPERATOR);
  const values = (gates: number) =>
    fc
      .tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom(0, 0, 0, 0.3, 1))
      .map(([devices, value]) => watched(gates, devices, value));
  const input = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        type: fc.constant("devices" as const),
        control: values(3),
        arms: fc.record({ b: values(3), c: values(3) }),
      }),
    },
    { weight: 4, arbitrary: fc.record({ type: fc.constant("tick" as const) }) },
    fc.record({ type: fc.constantFrom("pause" as const), reason }),
    fc.record({ type: fc.constant("resume" as const) }),
    fc.record({ type: fc.constantFrom("abort" as const, "rollback" as const), reason }),
    fc.record({ type: fc.constant("promote" as const), arm: fc.constantFrom("b", "c", "x") }),
    fc.record({
      type: fc.constant("withdrawn" as const),
      version: fc.constantFrom(2, 3, 7).map(asModelVersion),
      reason,
    }),
  );
  const script = fc.array(fc.tuple(input, fc.integer({ min: 0, max: HOUR })), {
    minLength: 1,
    maxLength: 60,
  });
  const config = configOf({
    arms: [
      { name: "b", version: 2 },
      { name: "c", version: 3 },
    ],
    steps: [
      { percent: 0, tags: ["staff"], minimumMs: 0, minimumDevices: 0 },
      { percent: 50, tags: ["staff"], minimumDevices: 2 },
      { percent: 5, minimumDevices: 4, deadlineMs: 4 * HOUR },
      { percent: 60, tags: ["staff", "beta"] },
      { percent: 100 },
    ],
  });

  test("shares never shrink, what was withdrawn is not offered again, and there is one end", () => {
    fc.assert(
      fc.property(script, (inputs) => {
        let state = initialRollout(config, 0);
        let now = 0;
        const withdrawn = new Set<number>();
        let ends = 0;
        for (const [each, passed] of inputs) {
          now += passed;
          const shares = rolloutShares(config, state);
          let after;
          try {
            after = stepRollout(config, state, { ...each, now });
          } catch (error) {
            expect(["federation/rollout-ended", "federation/rollout-state"]).toContain(
              (error as { code?: string }).code,
            );
            continue;
          }
          if (rolloutEnded(state)) expect(after).toEqual({ state, effects: [] });
          for (const effect of after.effects) {
            if (effect.type === "withdraw") {
              expect(withdrawn.has(effect.version)).toBe(false);
              withdrawn.add(effect.version);
            }
            if (effect.type === "release") expect(withdrawn.has(effect.version)).toBe(false);
            if (effect.type === "end") ends++;
          }
          // Kept as JSON from one step to the next: that is what a restart begins with.
          state = JSON.parse(JSON.stringify(after.state)) as RolloutState;
          expect(state).toEqual(after.state);
          for (const before of shares) {
            const same = rolloutShares(config, state).find(
              ({ tags }) => JSON.stringify(tags) === JSON.stringify(before.tags),
            );
            expect(same!.share).toBeGreaterThanOrEqual(before.share);
          }
          for (const { version, ended } of state.arms) {
            if (withdrawn.has(version)) expect(ended).not.toBeNull();
          }
          expect(ends).toBe(rolloutEnded(state) ? 1 : 0);
          if (state.phase === "completed") {
            const { arm } = state;
            expect(state.arms.find(({ name }) => name === arm)!.ended).toBeNull();
          }
          if (state.phase === "rolled-back")
            expect(state.arms.every(({ ended }) => ended !== null)).toBe(true);
        }
      }),
      { seed: 72, numRuns: 300 },
    );
  });

  test("the same inputs lead to the same state", () => {
    fc.assert(
      fc.property(script, (inputs) => {
        const play = (): string => {
          let state = initialRollout(config, 0);
          for (const [i, [each]] of inputs.entries()) {
            try {
              state = stepRollout(config, state, { ...each, now: i * HOUR }).state;
            } catch {
              // It did not fit, in both.
            }
          }
          return JSON.stringify(state);
        };
        expect(play()).toBe(play());
      }),
      { seed: 73, numRuns: 30 },
    );
  });
});

describe("a simulation", () => {
  const spec = parseRolloutSpec({ arms: [{ name: "b", version: 2 }] });
  const world = {
    devices: 1000,
    looksPerStep: 8,
    rates: { control: [0.02, 0.002, 0.01], harm: [0.2, 0, 0] },
  };

  test("finds the false alarms within what was asked for, and the harm that is done", () => {
    const found = simulateRollouts(spec, world, { rollouts: 20, seed: 5 });
    expect(found.falseAlarmRate).toBeLessThanOrEqual(0.05);
    expect(found.falseAlarmRateAtMargin).toBeLessThanOrEqual(0.05);
    expect(found.power).toBeGreaterThan(0.9);
    expect(found.completed).toBeGreaterThan(0.9);
    expect(found.percentAtRollBack).toBeLessThanOrEqual(10);
    expect(simulateRollouts(spec, world, { rollouts: 20, seed: 5 })).toEqual(found);
  });

  test("says where steps have too few devices to pass", () => {
    const found = simulateRollouts(spec, { ...world, devices: 100 }, { rollouts: 3, seed: 5 });
    expect(found).toMatchObject({ completed: 0, falseAlarmRate: 0 });
  });
});
