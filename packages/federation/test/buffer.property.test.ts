import { asModelVersion, asRoundId, TributaryError, type RoundId } from "@tributary/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bufferedUpdates,
  initialBuffer,
  isLiveBase,
  stepBuffer,
  type BufferConfig,
  type BufferEffect,
  type BufferInput,
  type BufferState,
} from "../src/index.ts";

const RUNS = process.env["TRIBUTARY_TEST_FULL"] === "1" ? 5_000 : 500;

const config = fc.record({
  bufferSize: fc.integer({ min: 1, max: 20 }),
  maxStaleness: fc.integer({ min: 0, max: 4 }),
});

type Event =
  | { readonly kind: "cohort"; readonly behind: number; readonly updates: number; readonly again: boolean }
  | { readonly kind: "commit-ends" | "commit-fails" | "retry" | "replaced" };

const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("cohort" as const),
      behind: fc.integer({ min: -1, max: 6 }),
      updates: fc.integer({ min: 1, max: 12 }),
      again: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("commit-ends" as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("commit-fails", "retry", "replaced") }) },
) as fc.Arbitrary<Event>;

const script = fc.array(event, { minLength: 1, maxLength: 60, size: "max" });

interface Played {
  readonly steps: readonly {
    readonly before: BufferState;
    readonly input: BufferInput;
    readonly after: BufferState;
    readonly effects: readonly BufferEffect[];
  }[];
}

/** Turns a script into inputs that a driver could give. */
function play(rules: BufferConfig, events: readonly Event[]): Played {
  let state = initialBuffer(rules, asModelVersion(10));
  let next = 1;
  const steps: Played["steps"][number][] = [];
  const give = (input: BufferInput): void => {
    const { state: after, effects } = stepBuffer(rules, state, input);
    steps.push({ before: state, input, after, effects });
    state = after;
  };
  for (const each of events) {
    switch (each.kind) {
      case "cohort": {
        // Told twice while it waits; a round that has ended takes no second sum.
        const last = asRoundId(`digits-${next - 1}`);
        const waits = [...state.pending, ...(state.committing ?? [])].some(({ roundId }) => roundId === last);
        const number = each.again && waits ? next - 1 : next++;
        const baseVersion = asModelVersion(Math.max(1, state.head - each.behind));
        give({
          type: "cohort",
          cohort: { roundId: asRoundId(`digits-${number}`), baseVersion, updates: each.updates },
        });
        break;
      }
      case "commit-ends":
        if (state.committing !== null) give({ type: "committed", version: asModelVersion(state.head + 1) });
        break;
      case "commit-fails":
        give({ type: "commit-failed" });
        break;
      case "retry":
        give({ type: "retry" });
        break;
      case "replaced":
        give({ type: "replaced", version: asModelVersion(state.head + 2) });
    }
  }
  return { steps };
}

const held = (rules: string, check: (rules: BufferConfig, played: Played) => void): void => {
  test(rules, () => {
    fc.assert(
      fc.property(config, script, (chosen, events) => check(chosen, play(chosen, events))),
      { numRuns: RUNS, seed: 20_261_128 },
    );
  });
};

describe("a buffer", () => {
  held("commits in the very step in which it holds K updates, and never with fewer", (rules, { steps }) => {
    for (const { effects } of steps) {
      for (const effect of effects) {
        if (effect.type !== "commit") continue;
        const updates = effect.cohorts.reduce((sum, cohort) => sum + cohort.updates, 0);
        expect(updates).toBeGreaterThanOrEqual(rules.bufferSize);
      }
    }
    for (const { input, after } of steps) {
      // After a commit that failed it waits for the retry; a cohort may be the one it had, or be of no live base.
      if (after.committing === null && changed(input))
        expect(bufferedUpdates(after)).toBeLessThan(rules.bufferSize);
    }
  });

  held("has every cohort in one version at most, and loses none without a word", (_, { steps }) => {
    const entered = new Set<RoundId>();
    const made = new Map<RoundId, number>();
    const discarded = new Set<RoundId>();
    for (const { input, before, after, effects } of steps) {
      if (input.type === "cohort") entered.add(input.cohort.roundId);
      if (input.type === "committed")
        for (const { roundId } of before.committing ?? []) {
          expect(made.has(roundId)).toBe(false);
          made.set(roundId, input.version);
        }
      for (const effect of effects)
        if (effect.type === "discard") for (const roundId of effect.roundIds) discarded.add(roundId);
      const waiting = [...after.pending, ...(after.committing ?? [])].map(({ roundId }) => roundId);
      expect(new Set(waiting).size).toBe(waiting.length);
      for (const roundId of entered)
        expect(waiting.includes(roundId) || made.has(roundId) || discarded.has(roundId)).toBe(true);
    }
  });

  held(
    "tells each cohort's staleness against the version it is added to, within the bound",
    (rules, { steps }) => {
      for (const { effects } of steps)
        for (const effect of effects) {
          if (effect.type !== "commit") continue;
          for (const { baseVersion, staleness } of effect.cohorts) {
            expect(staleness).toBe(effect.base - baseVersion);
            expect(staleness).toBeGreaterThanOrEqual(0);
            expect(staleness).toBeLessThanOrEqual(rules.maxStaleness);
          }
        }
    },
  );

  held("holds sums of at most maxStaleness + 1 bases, once it was looked through", (rules, { steps }) => {
    for (const { input, after } of steps) {
      if (!changed(input)) continue;
      const bases = new Set(after.pending.map(({ baseVersion }) => baseVersion));
      expect(bases.size).toBeLessThanOrEqual(rules.maxStaleness + 1);
      for (const base of bases) expect(isLiveBase(rules, after, base)).toBe(true);
    }
  });

  test("goes on after a restart with what was stored, and commits if that is enough", () => {
    const rules = { bufferSize: 5, maxStaleness: 2 };
    const cohort = (number: number, base: number) => ({
      roundId: asRoundId(`digits-${number}`),
      baseVersion: asModelVersion(base),
      updates: 3,
    });
    const state = initialBuffer(rules, asModelVersion(4), [cohort(1, 1), cohort(2, 3), cohort(3, 4)]);
    const { effects } = stepBuffer(rules, state, { type: "retry" });
    expect(effects).toEqual([
      { type: "discard", roundIds: ["digits-1"], code: "round/superseded" },
      {
        type: "commit",
        base: 4,
        cohorts: [
          { ...cohort(2, 3), staleness: 1 },
          { ...cohort(3, 4), staleness: 0 },
        ],
      },
    ]);
  });

  test("takes no commit that it did not ask for", () => {
    const rules = { bufferSize: 5, maxStaleness: 2 };
    const state = initialBuffer(rules, asModelVersion(4));
    expect(() => stepBuffer(rules, state, { type: "committed", version: asModelVersion(5) })).toThrow(
      expect.objectContaining({ code: "federation/invalid-transition" }) as TributaryError,
    );
    expect(() => initialBuffer({ bufferSize: 0, maxStaleness: 2 }, asModelVersion(1))).toThrow(RangeError);
  });
});

/** Whether it is an input after which the buffer is looked through. */
function changed({ type }: BufferInput): boolean {
  return type === "committed" || type === "retry" || type === "replaced";
}
