import type { AccessGrant, SessionView } from "@tributary/api-client";
import { describe, expect, test } from "vitest";
import { canOf, firstModelOf } from "../src/data/session.ts";

const viewOf = (...grants: readonly AccessGrant[]): SessionView =>
  ({ principal: { kind: "account", name: "ada", grants } }) as SessionView;

const auditor = (model: string): AccessGrant => ({ model, role: "auditor" });
const viewer = (model: string): AccessGrant => ({ model, role: "viewer" });

describe("what somebody may", () => {
  const can = canOf(viewOf(viewer("*"), auditor("letters")));
  test.each([
    ["view", "digits", true],
    ["view", undefined, true],
    ["audit", "letters", true],
    ["audit", undefined, true],
    ["audit", "digits", false],
    ["audit", "*", false],
    ["operate", "letters", false],
  ] as const)("%s of %s: %s", (permission, of, may) => {
    expect(can(permission, of)).toBe(may);
  });
});

test.each([
  ["one model", viewOf(viewer("digits"), auditor("letters"), auditor("cats")), "letters"],
  ["all models", viewOf(auditor("letters"), auditor("*")), undefined],
  ["none", viewOf(viewer("*")), undefined],
  ["whatever the page shows nobody", { principal: null } as SessionView, undefined],
])("an auditor of %s is shown first what is of it", (_, view, model) => {
  expect(firstModelOf(view, "audit")).toBe(model);
});
