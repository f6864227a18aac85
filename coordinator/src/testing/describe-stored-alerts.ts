import { asModelName, asTaskName } from "@tributary/core";
import { parseAlertRule, parsePolicy, type Notification } from "@tributary/protocol";
import { describe, expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type {
  AlertRecord,
  DeliveryRecord,
  PolicyDecisionRecord,
  SilenceRecord,
} from "../ports/alert-records.ts";
import { codeOf } from "./code-of.ts";

export function exampleAlert(changes: Partial<Omit<AlertRecord, "id">> = {}): Omit<AlertRecord, "id"> {
  return {
    rule: "rounds-fail",
    kind: "rounds-fail",
    severity: "warning",
    state: "firing",
    subject: { task: asTaskName("digits-task"), model: asModelName("digits") },
    fingerprint: "a".repeat(64),
    value: 3,
    threshold: 3,
    summary: "3 rounds in a row were abandoned",
    advice: "see why",
    pendingSince: 5,
    firingSince: 6,
    resolvedAt: null,
    acknowledgement: null,
    told: null,
    toldAt: null,
    ...changes,
  };
}

/** Alerts, their rules and silences; part of the metadata store's suite. */
export function describeStoredAlerts(opened: () => MetadataStore): void {
  describe("alerts", () => {
    test("rules that operators have are added, replaced and removed", async () => {
      const { alertRules } = opened();
      const rule = parseAlertRule({ name: "rounds-fail", kind: "rounds-fail", threshold: 5 });
      await alertRules.put({ rule, changedAt: 5 });
      await alertRules.put({ rule: { ...rule, enabled: false }, changedAt: 6 });
      const other = parseAlertRule({ name: "disk", kind: "disk-almost-full" });
      await alertRules.put({ rule: other, changedAt: 7 });
      const changed = { rule: { ...rule, enabled: false }, changedAt: 6 };
      expect(await alertRules.get("rounds-fail")).toEqual(changed);
      expect(await alertRules.list()).toEqual([{ rule: other, changedAt: 7 }, changed]);
      expect(await alertRules.remove("disk")).toBe(true);
      expect(await alertRules.remove("disk")).toBe(false);
      expect(await alertRules.get("disk")).toBeUndefined();
    });

    test("one of a kind is open at a time; what has resolved stays, and another may follow", async () => {
      const { alerts } = opened();
      const first = await alerts.insert(exampleAlert());
      expect(await alerts.get(first.id)).toEqual(first);
      expect(await codeOf(alerts.insert(exampleAlert()))).toBe("store/conflict");
      const pending = await alerts.insert(
        exampleAlert({ rule: "drift", kind: "drift", state: "pending", firingSince: null, fingerprint: "b" }),
      );
      expect(await alerts.open()).toEqual([first, pending]);
      expect(await alerts.open("drift")).toEqual([pending]);
      await alerts.remove([pending.id, 99]);
      expect(await alerts.open()).toEqual([first]);
      const acknowledgement = { by: "ada", comment: "on it", at: 7 };
      const told = { ...first, acknowledgement, told: "firing", toldAt: 7 } as const;
      await alerts.update(told);
      expect(await alerts.get(first.id)).toEqual(told);
      expect(await alerts.untold()).toEqual([]);
      const resolved = { ...told, state: "resolved", resolvedAt: 9 } as const;
      await alerts.update(resolved);
      expect(await alerts.untold()).toEqual([resolved]);
      const again = await alerts.insert(exampleAlert());
      expect(again.id).toBeGreaterThan(pending.id);
      expect(await alerts.list({ limit: 9 })).toEqual([again, resolved]);
      expect(await alerts.list({ limit: 9, state: "resolved" })).toEqual([resolved]);
      expect(await alerts.list({ limit: 9, rule: "drift" })).toEqual([]);
      expect(await alerts.list({ limit: 1, before: again.id })).toEqual([resolved]);
      expect(await codeOf(alerts.update({ ...first, id: 99 }))).toBe("store/not-found");
    });

    test("of those that have resolved the newest are kept, and those that are to be told", async () => {
      const { alerts } = opened();
      const ended = { state: "resolved", resolvedAt: 9 } as const;
      const waits = await alerts.insert(exampleAlert({ ...ended, told: "firing", toldAt: 8 }));
      for (let i = 0; i < 5; i++)
        await alerts.insert(exampleAlert({ ...ended, told: "resolved", toldAt: i }));
      const open = await alerts.insert(exampleAlert());
      await alerts.prune(2);
      const left = await alerts.list({ limit: 9 });
      expect(left.map(({ toldAt }) => toldAt)).toEqual([null, 4, 3, 8]);
      expect([left[0], left[3]]).toEqual([open, waits]);
      await alerts.prune(10);
      expect(await alerts.list({ limit: 9 })).toHaveLength(4);
    });

    test("silences are read until they end, and can be ended", async () => {
      const { silences } = opened();
      const of = (endsAt: number): Omit<SilenceRecord, "id"> => ({
        matcher: { rule: "drift", model: asModelName("digits") },
        startsAt: 1,
        endsAt,
        by: "ada",
        comment: "we know",
      });
      const long = await silences.insert(of(50));
      const short = await silences.insert(of(10));
      expect(await silences.list({ endsAfter: 9 })).toEqual([short, long]);
      expect(await silences.list({ endsAfter: 10 })).toEqual([long]);
      await silences.end(long.id, 20);
      expect(await silences.get(long.id)).toEqual({ ...long, endsAt: 20 });
      expect(await codeOf(silences.end(99, 20))).toBe("store/not-found");
      await silences.prune(15);
      expect(await silences.get(short.id)).toBeUndefined();
      expect(await silences.list({ endsAfter: 0 })).toHaveLength(1);
    });
  });
}

export function exampleNotification(id: string): Notification {
  return {
    formatVersion: 1,
    id,
    purpose: "alert",
    status: "firing",
    coordinator: "here",
    url: null,
    rule: "drift",
    severity: "warning",
    summary: "it has drifted",
    at: "2026-01-01T00:00:00.000Z",
    alerts: [],
    more: 0,
  };
}

/** What decides without an operator; part of the metadata store's suite. */
export function describeStoredPolicies(opened: () => MetadataStore): void {
  describe("policies", () => {
    test("are added, replaced and removed; a decision is taken once, and again only where it failed", async () => {
      const { policies, policyDecisions } = opened();
      const policy = parsePolicy({
        name: "follow",
        does: { kind: "train-on-drift", telemetryTask: "watch", task: "learn" },
      });
      await policies.put({ policy, changedAt: 1 });
      await policies.put({ policy: { ...policy, enabled: false }, changedAt: 2 });
      expect(await policies.get("follow")).toEqual({ policy: { ...policy, enabled: false }, changedAt: 2 });
      expect(await policies.list()).toHaveLength(1);
      const decision: PolicyDecisionRecord = {
        policy: "follow",
        key: "watch-3",
        outcome: "failed",
        object: { model: asModelName("digits"), version: null, task: asTaskName("learn") },
        evidence: { psi: 0.4 },
        reason: "it has drifted",
        rounds: 50,
        at: 5,
      };
      await policyDecisions.put(decision);
      const done = { ...decision, outcome: "done", at: 6 } as const;
      await policyDecisions.put(done);
      expect(await codeOf(policyDecisions.put({ ...done, at: 7 }))).toBe("store/conflict");
      expect(await policyDecisions.get("follow", "watch-3")).toEqual(done);
      const other = { ...done, policy: "other", at: 9 };
      await policyDecisions.put(other);
      expect(await policyDecisions.list({ limit: 9 })).toEqual([other, done]);
      expect(await policyDecisions.list({ policy: "follow", limit: 9 })).toEqual([done]);
      expect(await policyDecisions.list({ since: 7, limit: 9 })).toEqual([other]);
      await policyDecisions.prune(9);
      expect(await policyDecisions.list({ limit: 9 })).toEqual([other]);
      expect(await policies.remove("follow")).toBe(true);
      expect(await policies.remove("follow")).toBe(false);
    });
  });
}

/** Where alerts are told, and what waits to be told there; part of the metadata store's suite. */
export function describeStoredNotifications(opened: () => MetadataStore): void {
  describe("notifications", () => {
    test("channels are added, replaced and removed, with what is secret apart", async () => {
      const { notificationChannels } = opened();
      const channel = {
        formatVersion: 1 as const,
        name: "ops",
        enabled: true,
        minimumSeverity: "warning" as const,
        rules: [],
        resolved: true,
        target: { kind: "slack" as const, url: { stored: true as const } },
      };
      const record = { channel, secrets: { url: "https://chat.example/secret" }, changedAt: 5 };
      await notificationChannels.put({ ...record, changedAt: 4 });
      await notificationChannels.put(record);
      expect(await notificationChannels.get("ops")).toEqual(record);
      expect(await notificationChannels.list()).toEqual([record]);
      expect(await notificationChannels.remove("ops")).toBe(true);
      expect(await notificationChannels.remove("ops")).toBe(false);
      expect(await notificationChannels.get("ops")).toBeUndefined();
    });

    test("what is queued is read in its order, and of what was sent the newest is kept", async () => {
      const { deliveries } = opened();
      const of = (id: string, channel = "ops"): Omit<DeliveryRecord, "sequence"> => ({
        id,
        channel,
        notification: exampleNotification(id),
        state: "queued",
        attempts: 0,
        createdAt: 5,
        nextAt: 6,
        endedAt: null,
        lastError: null,
      });
      const first = await deliveries.insert(of("b"));
      const second = await deliveries.insert(of("a"));
      const other = await deliveries.insert(of("c", "mail"));
      expect(await codeOf(deliveries.insert(of("a")))).toBe("store/conflict");
      expect(await deliveries.queued()).toEqual([first, second, other]);
      expect(await deliveries.queued("ops")).toEqual([first, second]);
      const sent = { ...first, state: "delivered", attempts: 2, nextAt: null, endedAt: 9 } as const;
      await deliveries.update(sent);
      expect(await deliveries.queued("ops")).toEqual([second]);
      expect(await deliveries.list("ops", { limit: 9 })).toEqual([second, sent]);
      expect(await deliveries.list("ops", { limit: 1 })).toEqual([second]);
      expect(await codeOf(deliveries.update({ ...first, id: "none" }))).toBe("store/not-found");
      for (const id of ["d", "e", "f"])
        await deliveries.update({ ...(await deliveries.insert(of(id))), state: "failed" });
      await deliveries.prune("ops", 2);
      expect((await deliveries.list("ops", { limit: 9 })).map(({ id }) => id)).toEqual(["f", "e", "a"]);
      expect(await deliveries.queued("mail")).toEqual([other]);
    });
  });
}
