import { expect, test } from "vitest";
import { growthOf, memoryBudget } from "../../src/worker/recycling.ts";

test.each([
  [{ userAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)" }, true],
  [{ userAgent: "Mozilla/5.0 (Macintosh)", platform: "MacIntel", maxTouchPoints: 5 }, true],
  [{ userAgent: "Mozilla/5.0 (Macintosh)", platform: "MacIntel", maxTouchPoints: 0 }, false],
  [{}, false],
])("%j has the small budget: %s", (navigator, small) => {
  expect(memoryBudget(navigator).maxRuns === 200).toBe(small);
});

test("a worker is replaced after so many runs", () => {
  const hasGrown = growthOf({ maxHeapBytes: 1000, maxRuns: 3 });
  expect([1, 2, 3].map(() => hasGrown(1, undefined))).toEqual([false, false, true]);
});

test("one that grew beyond the budget is replaced, one whose models need that much is not", () => {
  const leaks = growthOf({ maxHeapBytes: 1000, maxRuns: Infinity });
  for (let run = 0; run < 30; run++) expect(leaks(1, 400)).toBe(false);
  expect([leaks(1, 999), leaks(1, 1001)]).toEqual([false, true]);
  const large = growthOf({ maxHeapBytes: 1000, maxRuns: Infinity });
  for (let run = 0; run < 30; run++) large(1, 900);
  expect([large(1, 1300), large(1, 1400)]).toEqual([false, true]);
});
