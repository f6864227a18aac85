import type { AlertRuleView, AlertView, PolicyView } from "@tributary/api-client";
import { expect, test } from "vitest";
import {
  alertHref,
  alertState,
  durationWords,
  policyState,
  policyWords,
  thresholdWords,
} from "../src/model/alert-words.ts";

const alert = {
  state: "firing",
  acknowledgement: null,
  silencedUntil: null,
  subject: {},
} as unknown as AlertView;

test("what an alert is called says whether somebody has to look", () => {
  expect(alertState(alert)).toBe("firing");
  expect(alertState({ ...alert, acknowledgement: { by: "Ada", comment: "", at: "" } })).toBe("acknowledged");
  expect(alertState({ ...alert, silencedUntil: "2026-01-01T00:00:00Z" })).toBe("silenced");
  expect(alertState({ ...alert, state: "resolved" })).toBe("resolved");
});

test("an alert leads to what it is about, where there is a page of it", () => {
  expect(alertHref({ subject: {} })).toBeUndefined();
  expect(alertHref({ subject: { role: "targets" } })).toBeUndefined();
  expect(alertHref({ subject: { task: "learn", model: "digits" } })).toBe("/tasks/learn");
  expect(alertHref({ subject: { model: "digits", version: 3, code: "x" } })).toBe("/models/digits?version=3");
  expect(alertHref({ subject: { model: "digits", channel: "stable", rollout: "spring" } })).toBe(
    "/models/digits/rollouts/spring",
  );
});

test("thresholds and times have their units", () => {
  const words = (appliedThreshold: number | null, unit: string | null) =>
    thresholdWords({ appliedThreshold, unit } as AlertRuleView);
  expect([
    words(0.05, "share"),
    words(0.2, "psi"),
    words(3, "rounds"),
    words(1, "versions"),
    words(null, null),
  ]).toEqual(["5 %", "PSI 0.2", "3 rounds", "1 version", ""]);
  expect([90_000, 60_000, 7_200_000, 86_400_000].map(durationWords)).toEqual([
    "90 seconds",
    "1 minute",
    "2 hours",
    "1 day",
  ]);
});

test("a policy says what it does, and whether it does it", () => {
  const promote = {
    kind: "promote",
    model: "digits",
    by: "alias",
    alias: "best",
    channel: "stable",
    rollout: {},
  };
  expect(policyWords({ does: promote } as unknown as PolicyView)).toBe(
    "What its gate found good of digits it calls best",
  );
  expect(policyState({ state: "watching", dryRun: true })).toBe("watching, dry run");
  expect(policyState({ state: "disabled", dryRun: true })).toBe("disabled");
});
