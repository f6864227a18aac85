import fc from "fast-check";
import { expect, test } from "vitest";
import { byNumber, inPages } from "../src/live/pages.ts";
import { accuracyBand, funnel, meanPhaseSeconds, phaseSpans, traffic } from "../src/model/round-figures.ts";
import { secureSteps } from "../src/model/secure-line.ts";
import { aRound, aVersion } from "./views.ts";

const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 1) + seconds * 1000).toISOString();
const ended = aRound({
  phase: "committed",
  phases: [
    { phase: "selecting", at: at(0), dropouts: 0 },
    { phase: "training", at: at(2), dropouts: 0 },
    { phase: "reporting", at: at(12), dropouts: 3 },
    { phase: "aggregating", at: at(15), dropouts: 4 },
    { phase: "committed", at: at(16), dropouts: 4 },
  ],
  endedAt: at(16),
  offered: 20,
  ready: 16,
  cohort: 12,
  reported: 11,
  dropouts: 4,
  version: 7,
  bytesUp: 100,
  bytesDown: 900,
});

test("a phase took as long as until the next, and lost whom the next had lost more", () => {
  expect(phaseSpans(ended).map(({ phase, seconds, dropouts }) => [phase, seconds, dropouts])).toEqual([
    ["selecting", 2, 0],
    ["training", 10, 3],
    ["reporting", 3, 1],
    ["aggregating", 1, 0],
  ]);
  const running = aRound({ phases: [{ phase: "training", at: at(2), dropouts: 0 }], dropouts: 2 });
  expect(phaseSpans(running)).toEqual([{ phase: "training", startedAt: at(2), seconds: null, dropouts: 2 }]);
  expect(meanPhaseSeconds([ended, running])).toContainEqual({ phase: "training", seconds: 10 });
});

test("only rounds that ended say how far devices got, and what was sent", () => {
  const rounds = [aRound({ number: 8, offered: 50 }), ended];
  expect(funnel(rounds).map(({ count, share }) => [count, share])).toEqual([
    [20, 1],
    [16, 0.8],
    [12, 0.6],
    [11, 0.55],
  ]);
  expect(funnel([]).map(({ share }) => share)).toEqual([null, null, null, null]);
  expect(traffic(rounds)).toEqual({ x: [7], up: [100], down: [900] });
});

test("a curve's band is the interval of the version that the round made", () => {
  const version = {
    ...aVersion(7, 6),
    lineage: { intervals: { accuracy: { lower: 0.8, upper: 0.9, confidence: 0.95 } } },
  } as unknown as ReturnType<typeof aVersion>;
  expect(accuracyBand({ x: [6, 7] }, [ended], [version])).toEqual({ lower: [null, 0.8], upper: [null, 0.9] });
});

test("the steps of a secure sum say how far it came, and whom it lost", () => {
  const secure = {
    step: "mask",
    cohort: 20,
    threshold: 16,
    survivors: 18,
    lost: { advertise: 1, share: 1, mask: 0, sign: 0, unmask: 0 },
    private: true,
    unmasked: 0,
  } as const;
  const states = (phase: "reporting" | "committed" | "abandoned") =>
    secureSteps(aRound({ phase, secure })).map(({ state }) => state);
  expect(states("reporting")).toEqual(["done", "done", "under way", "to come", "to come"]);
  expect(states("abandoned")).toEqual(["done", "done", "not reached", "not reached", "not reached"]);
  expect(states("committed")).toEqual(["done", "done", "done", "done", "done"]);
  expect(secureSteps(aRound())).toEqual([]);
});

test("property: pages hold each round once, in its newest state, newest first", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 30 })),
      fc.integer({ min: 1, max: 8 }),
      (numbers, size) => {
        const known = [...new Set(numbers)].sort((a, b) => b - a).map((number) => aRound({ number }));
        const pages = Array.from({ length: Math.ceil(known.length / size) }, (_, i) => ({
          rows: known.slice(i * size, (i + 1) * size),
          next: null,
        }));
        for (let number = 1; number <= 31; number++) {
          const changed = inPages(pages, aRound({ number, phase: "committed" }), byNumber).flatMap(
            ({ rows }) => rows,
          );
          const expected = known.some((each) => each.number === number)
            ? known.map((each) => each.number)
            : [...(number > (known[0]?.number ?? 0) ? [number] : []), ...known.map((each) => each.number)];
          expect(changed.map((each) => each.number)).toEqual(expected);
          for (const each of changed) {
            expect(each.phase).toBe(each.number === number ? "committed" : "training");
          }
        }
      },
    ),
  );
});
