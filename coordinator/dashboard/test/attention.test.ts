import type { KeyRoleView, RolloutView, StatusView, TaskActivityView } from "@tributary/api-client";
import { expect, test } from "vitest";
import { attention, type AttentionSources } from "../src/model/attention.ts";
import { aTask } from "./views.ts";

const NOW = Date.parse("2026-11-01T12:00:00Z");
const calm: AttentionSources = {
  status: { storageProblem: null, refusedVersions: [] } as unknown as StatusView,
  tasks: [
    aTask(),
    aTask({ name: "rest", state: "paused", reason: { code: "operator", message: "an operator paused it" } }),
  ],
  activities: new Map([["digits", { failures: 2 } as TaskActivityView]]),
  rollouts: [],
  keys: [{ role: "targets", waiting: null, expiresInDays: 300 } as unknown as KeyRoleView],
  nowMs: NOW,
};

test("where nothing is wrong nothing is told, and what an operator did is not wrong", () => {
  expect(attention(calm)).toEqual([]);
});

test("what is wrong is told with the way to it, the worst first", () => {
  const rollout = {
    model: "digits",
    rollout: "spring",
    state: "rolled-back",
    reason: { message: "crashes are worse" },
    steps: [{ startedAt: "2026-11-01T10:00:00Z" }],
  } as unknown as RolloutView;
  const found = attention({
    ...calm,
    status: {
      storageProblem: { code: "store/quota-exceeded", since: "2026-11-01T11:00:00Z" },
      refusedVersions: [{ model: "digits", version: 3, code: "runtime/self-check-failed", devices: 2 }],
    } as unknown as StatusView,
    tasks: [
      aTask(),
      aTask({ name: "gated", state: "paused", reason: { code: "gate", message: "the gate failed" } }),
    ],
    activities: new Map([["digits", { failures: 3 } as TaskActivityView]]),
    rollouts: [
      rollout,
      {
        ...rollout,
        rollout: "last-year",
        steps: [{ startedAt: "2025-11-01T10:00:00Z" }],
      } as unknown as RolloutView,
    ],
    keys: [{ role: "targets", waiting: null, expiresInDays: -1 } as unknown as KeyRoleView],
  });
  expect(found.map(({ tone, title, href }) => [tone, title, href])).toEqual([
    ["bad", "The disk is full", undefined],
    ["bad", "3 rounds of digits failed in a row", "/tasks/digits"],
    ["bad", "Task gated stopped", "/tasks/gated"],
    ["bad", 'Metadata of "targets" has expired', "/audit"],
    ["warn", "Rollout spring of digits was taken back", "/models/digits/rollouts/spring"],
    ["warn", "2 devices do not run version 3 of digits", "/models/digits?version=3"],
  ]);
});
