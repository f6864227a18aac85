import * as fc from "fast-check";
import { expect, test } from "vitest";
import { separationLeft } from "../src/index.ts";

const none = { minimumSeparationMs: 0, minimumSeparationRounds: 0 };

test("without a rule, and for the first time, nobody sits out", () => {
  expect(separationLeft(none, { round: 3, at: 10 }, { round: 3, at: 10 })).toBeNull();
  expect(
    separationLeft({ minimumSeparationMs: 5, minimumSeparationRounds: 5 }, undefined, { round: 1, at: 0 }),
  ).toBeNull();
});

test("time and rounds both have to pass", () => {
  const rules = { minimumSeparationMs: 1_000, minimumSeparationRounds: 2 };
  const left = (round: number, at: number) => separationLeft(rules, { round: 4, at: 500 }, { round, at });
  expect(left(5, 700)).toEqual({ waitMs: 800, rounds: 2 });
  expect(left(6, 1_500)).toEqual({ waitMs: 0, rounds: 1 });
  expect(left(7, 1_499)).toEqual({ waitMs: 1, rounds: 0 });
  expect(left(7, 1_500)).toBeNull();
});

test("property: a clock that was set back lets nobody wait longer than the rule, nor take part earlier", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(), (minimumSeparationMs, lastAt, at) => {
      const left = separationLeft(
        { ...none, minimumSeparationMs },
        { round: 1, at: lastAt },
        { round: 2, at },
      );
      expect(left?.waitMs ?? 0).toBe(Math.max(0, minimumSeparationMs - Math.max(0, at - lastAt)));
    }),
    { seed: 6 },
  );
});
