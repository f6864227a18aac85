import { expect, test } from "vitest";
import { activitySentence } from "../src/model/activity-lines.ts";

const now = Date.parse("2026-01-05T21:00:00.000Z");
const quiet = { nextRoundAt: null, failures: 0, checkedIn: 12, sittingOut: 0, ineligible: {} };
const running = { state: "running", reason: null } as const;

test("a task that runs says what it waits for, and nothing when there is nothing to wait for", () => {
  expect(activitySentence(running, undefined, now)).toBeUndefined();
  expect(activitySentence(running, quiet, now)).toBeUndefined();
  const nextRoundAt = "2026-01-05T22:00:00.000Z";
  expect(activitySentence(running, { ...quiet, nextRoundAt }, now)).toBe(
    "The next round may begin in 1:00:00.",
  );
  expect(activitySentence(running, { ...quiet, nextRoundAt }, Date.parse(nextRoundAt))).toBeUndefined();
  expect(
    activitySentence(running, { ...quiet, failures: 2, sittingOut: 3, ineligible: { battery: 4 } }, now),
  ).toBe("2 rounds in a row failed; 3 of 12 willing devices sit out; not asked are 4 for battery.");
});

test("a task that does not run says why", () => {
  const reason = { code: "rounds", message: "20 of 20 rounds are committed" } as const;
  expect(activitySentence({ state: "finished", reason }, undefined, now)).toBe(
    "The task is finished: 20 of 20 rounds are committed.",
  );
  expect(activitySentence({ state: "paused", reason: null }, quiet, now)).toBeUndefined();
});
