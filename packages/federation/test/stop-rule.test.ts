import { parseTaskSpec, type StopRules } from "@tributary/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { addResult, NO_PROGRESS, stopReason, type RoundResult } from "../src/index.ts";

const rulesOf = (stop: object, rounds: number | null = null) =>
  parseTaskSpec({ name: "digits", model: "digits", rounds, stop });

function codeAfter(stop: object, losses: readonly (number | null)[], rounds: number | null = null) {
  const rules = rulesOf(stop, rounds);
  let progress = NO_PROGRESS;
  const at = (roundsCommitted: number) => ({ now: 1_000, since: 1_000, roundsCommitted });
  for (const [i, loss] of losses.entries()) {
    const before = stopReason(rules, progress, at(i));
    if (before !== undefined) return { code: before.code, after: i };
    const result: RoundResult = { number: i + 1, loss, accuracy: loss === null ? null : 1 - loss };
    progress = addResult(rules.stop, progress, result);
  }
  const reason = stopReason(rules, progress, at(losses.length));
  return reason === undefined ? undefined : { code: reason.code, after: losses.length };
}

test("without rules a task goes on for ever", () => {
  expect(codeAfter({}, [0.5, 0.1, 0, null])).toBeUndefined();
});

test("rounds, a target and time end it, each with its reason", () => {
  expect(codeAfter({}, [1, 1, 1], 2)).toEqual({ code: "rounds", after: 2 });
  expect(codeAfter({ targetMetric: { value: 0.2 } }, [0.5, 0.2, 0.1])).toEqual({
    code: "target-metric",
    after: 2,
  });
  const accuracy = { targetMetric: { name: "accuracy", value: 0.9 } };
  expect(codeAfter(accuracy, [0.5, null, 0.05])).toEqual({ code: "target-metric", after: 3 });
  const rules = rulesOf({ elapsedMs: 5_000 });
  const at = (now: number) => stopReason(rules, NO_PROGRESS, { now, since: 1_000, roundsCommitted: 0 });
  expect([at(5_999), at(6_000)?.code]).toEqual([undefined, "elapsed"]);
});

test("a stretch without a new best ends it; a small change is none", () => {
  const stop = { noImprovement: { rounds: 3, minimumChange: 0.05 } };
  expect(codeAfter(stop, [0.9, 0.89, 0.88, 0.87])).toEqual({ code: "no-improvement", after: 4 });
  expect(codeAfter(stop, [0.9, 0.89, 0.8, 0.79, 0.78, 0.77])).toEqual({ code: "no-improvement", after: 6 });
  expect(codeAfter(stop, [0.9, null, null, null, null])).toBeUndefined();
});

test("the reason says which round, which value and which target", () => {
  const rules = rulesOf({ targetMetric: { name: "accuracy", value: 0.9 } });
  const progress = addResult(rules.stop, NO_PROGRESS, { number: 7, loss: 1, accuracy: 0.93 });
  expect(stopReason(rules, progress, { now: 0, since: 0, roundsCommitted: 1 })?.message).toBe(
    "accuracy 0.93 in round 7: the target was 0.9",
  );
});

// Written from the definition, over all the rounds at once.
function staleByDefinition(
  losses: readonly number[],
  { rounds, minimumChange }: NonNullable<StopRules["noImprovement"]>,
) {
  let best = Infinity;
  let since = 0;
  for (const loss of losses) {
    if (best === Infinity || (loss < best && best - loss >= minimumChange)) [best, since] = [loss, 0];
    else since += 1;
    if (since >= rounds) return true;
  }
  return false;
}

test("property: no improvement is found as soon as it is so, and never earlier", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 10 }),
      fc.double({ min: 0, max: 0.5, noNaN: true }),
      (losses, rounds, minimumChange) => {
        const found = codeAfter({ noImprovement: { rounds, minimumChange } }, losses);
        const rule = { metric: "loss", rounds, minimumChange } as const;
        expect(found !== undefined).toBe(staleByDefinition(losses, rule));
        if (found !== undefined)
          expect(staleByDefinition(losses.slice(0, found.after - 1), rule)).toBe(false);
      },
    ),
    { seed: 12, numRuns: 150 },
  );
});
