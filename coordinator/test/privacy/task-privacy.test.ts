import { asModelName, asTaskName } from "@tributary/core";
import { expect, test } from "vitest";
import type { SummedRound } from "../../src/ports/round-repositories.ts";
import { taskPrivacy } from "../../src/privacy/task-privacy.ts";

const task = { name: asTaskName("digits"), model: asModelName("digits") };
const round = (number: number, changes: Partial<SummedRound> = {}): SummedRound => ({
  number,
  purpose: "train",
  startedAt: Date.UTC(2026, 10, 1) + number,
  devices: 20,
  threshold: 17,
  private: true,
  ...changes,
});

test("rounds that hid nothing are counted by why", () => {
  const rounds = [
    round(4, { threshold: null, private: false, devices: 9 }),
    round(3, { threshold: 5, private: false, devices: 6 }),
    round(2, { purpose: "gate" }),
    round(1),
  ];
  expect(taskPrivacy(task, rounds, ["lossSum"])).toEqual({
    task: "digits",
    model: "digits",
    rounds: {
      private: 2,
      notPrivate: [
        { why: "plain", rounds: 1 },
        { why: "small-cohort", rounds: 1 },
      ],
      smallest: 6,
      largest: 20,
    },
    leastHidden: 5,
    cohorts: [
      expect.objectContaining({ round: 1, private: true, at: "2026-11-01T00:00:00.001Z" }),
      expect.objectContaining({ round: 2, purpose: "gate" }),
      expect.objectContaining({ round: 3, devices: 6, private: false }),
      expect.objectContaining({ round: 4, devices: 9 }),
    ],
    metrics: ["lossSum"],
  });
});

test("of many rounds the newest are shown, of none nothing is said", () => {
  const many = Array.from({ length: 500 }, (_, i) => round(500 - i));
  const { cohorts, rounds } = taskPrivacy(task, many, []);
  expect(rounds.private).toBe(500);
  expect(cohorts.map(({ round: number }) => number)).toEqual(Array.from({ length: 200 }, (_, i) => 301 + i));
  expect(taskPrivacy(task, [], [])).toMatchObject({
    rounds: { private: 0, notPrivate: [], smallest: null, largest: null },
    leastHidden: null,
    cohorts: [],
  });
});
