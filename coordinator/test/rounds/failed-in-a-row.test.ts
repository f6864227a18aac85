import { expect, test } from "vitest";
import type { RoundRecord } from "../../src/ports/round-records.ts";
import type { TaskRecord } from "../../src/ports/task-records.ts";
import { failedInARow } from "../../src/rounds/failed-in-a-row.ts";

/** Rounds from the first on: `c` committed, `a` abandoned, `g` a gate's that was abandoned, `h` abandoned for what says nothing. */
function streakOf(history: string, activeSince = 0): Promise<number> {
  const records = Array.from(history, (kind, at) => ({
    number: at + 1,
    startedAt: at,
    purpose: kind === "g" ? "gate" : "train",
    phase: kind === "c" ? "committed" : "abandoned",
    reason: kind === "c" ? null : kind === "h" ? "round/task-paused" : "round/too-few-ready",
  }));
  const rounds = {
    list: async (_: string, { limit, before = Infinity }: { limit: number; before?: number }) =>
      records
        .filter(({ number }) => number < before)
        .toReversed()
        .slice(0, limit) as RoundRecord[],
  };
  return failedInARow(
    { store: { rounds } } as never,
    { name: "digits", activeSince } as unknown as TaskRecord,
  );
}

test.each([
  ["", 0],
  ["c", 0],
  ["aaa", 3],
  ["acaa", 2],
  ["caha", 1],
  ["cagag", 2],
  ["g", 0],
  [`c${"a".repeat(250)}`, 250],
])("after %j there are %i", async (history, failures) => {
  expect(await streakOf(history)).toBe(failures);
});

test("what failed before the task was let go on is forgotten", async () => {
  expect(await streakOf("caaaa", 3)).toBe(2);
});
