import { createApiClient, type ApiClient } from "../../../packages/api-client/src/index.ts";
import { ALERT_RULE_SCHEMA_ID } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

let coordinator: RunningCoordinator;
let client: ApiClient;
beforeAll(async () => {
  coordinator = await runningCoordinator();
  client = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
});
afterAll(() => coordinator.end());

test("rules are read, set, and removed, and what they find is acknowledged and silenced", async () => {
  const rules = await client.alertRules();
  expect(rules.every(({ origin, enabled }) => origin === "built-in" && enabled)).toBe(true);
  expect(rules.find(({ name }) => name === "storage-problem")).toMatchObject({
    state: "quiet",
    problem: null,
  });
  // There is no disk so empty.
  const mine = await client.setAlertRule({
    name: "space",
    kind: "disk-almost-full",
    threshold: 1,
    severity: "critical",
  });
  expect(mine).toMatchObject({ origin: "own", state: "firing", appliedThreshold: 1, unit: "share" });
  const { alerts, counts } = await client.alerts({ rule: "space" });
  expect(counts).toEqual({ firing: 1, critical: 1, pending: 0, unacknowledged: 1 });
  const [alert] = alerts;
  expect(alert).toMatchObject({ rule: "space", state: "firing", subject: {}, acknowledgement: null });
  const acknowledged = await client.acknowledgeAlert(alert!.id, { comment: "on it" });
  expect(acknowledged.acknowledgement).toMatchObject({ by: "token", comment: "on it" });
  expect((await client.unacknowledgeAlert(alert!.id)).acknowledgement).toBeNull();
  const silence = await client.silence({ matcher: { rule: "space" }, durationMs: 60_000, comment: "a test" });
  expect((await client.alert(alert!.id)).silencedUntil).toBe(silence.endsAt);
  expect(await client.endSilence(silence.id)).toMatchObject({ state: "ended" });
  expect((await client.silences()).map(({ id }) => id)).toEqual([silence.id]);
  await client.removeAlertRule("space");
  expect((await client.alerts({ rule: "space" })).alerts).toMatchObject([{ state: "resolved" }]);
  await expect(client.alertRule("space")).rejects.toMatchObject({ code: "coordinator/unknown-alert-rule" });
  await expect(client.setAlertRule({ name: "space", kind: "drift", threshold: -3 })).rejects.toMatchObject({
    code: "protocol/invalid-document",
    detail: { path: "/threshold" },
  });
});

test("the schema of a rule is served, and changing one needs the operator's token", async () => {
  const schema = await coordinator.request("/schemas/alert-rule.json");
  expect(await schema.json()).toMatchObject({ $id: ALERT_RULE_SCHEMA_ID, required: ["name", "kind"] });
  for (const [method, path] of [
    ["PUT", "/v1/alert-rules/drift"],
    ["DELETE", "/v1/alert-rules/drift"],
    ["POST", "/v1/alerts/1/acknowledgement"],
    ["POST", "/v1/alert-silences"],
    ["DELETE", "/v1/alert-silences/1"],
  ] as const) {
    const refused = await coordinator.request(path, { method });
    expect([refused.status, await errorCode(refused)]).toEqual([401, "identity/not-authorized"]);
  }
  const empty = { matcher: {}, durationMs: 60_000, comment: "all of them" };
  await expect(client.silence(empty)).rejects.toMatchObject({ code: "http/bad-request" });
});
