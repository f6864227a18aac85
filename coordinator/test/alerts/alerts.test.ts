import { afterEach, beforeEach, expect, test } from "vitest";
import { asModelName, asTaskName } from "@tributary/core";
import {
  ALERT_STATES,
  BUILT_IN_ALERT_RULES,
  type AlertList,
  type AlertView,
  type NewSilence,
} from "@tributary/protocol";
import fc from "fast-check";
import { OPERATOR_BY_HTTP } from "../operator.ts";
import { operatorNamed } from "../../src/access/principal.ts";
import { EVERY_SUBJECT, type SubjectScope } from "../../src/access/subject-scope.ts";
import { ALERT_EVENT_LOOK_MS, ALERT_LOOK_MS } from "../../src/alerts/alerts.ts";
import { codeOf, exampleRound, exampleTask } from "../../src/testing/index.ts";
import { exampleAlert } from "../../src/testing/describe-stored-alerts.ts";
import { openAlertsRoom, type AlertsRoom } from "./alerts-room.ts";

const ADA = operatorNamed("Ada");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STATE_ORDER: readonly AlertView["state"][] = ["firing", "pending", "resolved"];
let room: AlertsRoom;

beforeEach(async () => {
  room = await openAlertsRoom();
});
afterEach(() => room.dispose());

/** Three rounds of a task that is running are abandoned. */
async function failRounds(): Promise<void> {
  await room.publish();
  await room.store.tasks.insert(exampleTask({ activeSince: 0 }));
  for (let number = 1; number <= 3; number++)
    await room.store.rounds.insert(
      exampleRound(number, {
        phase: "abandoned",
        endedAt: 1_790_000_001_000,
        reason: "round/too-few-devices",
      }),
    );
}

const told = () =>
  room.events
    .filter(({ type }) => type === "alert")
    .map(({ id, data }) => ({ ...(data as object), logged: id }));

test("a full disk is pending, fires after its time, and is told and kept once", async () => {
  await room.look();
  expect(await room.list()).toEqual([]);
  room.signals.space = { free: 4, total: 100 };
  await room.look();
  expect(await room.list()).toMatchObject([
    { state: "pending", rule: "disk-almost-full", firingSince: null },
  ]);
  for (let minute = 1; minute <= 20; minute++) await room.look(MINUTE);
  expect(await room.list()).toMatchObject([
    {
      state: "firing",
      severity: "warning",
      value: 0.04,
      threshold: 0.05,
      summary: "4 % of the data directory's file system is free",
      firingSince: "2026-01-01T00:10:00.000Z",
    },
  ]);
  room.signals.space = { free: 90, total: 100 };
  await room.look(MINUTE);
  expect(await room.list()).toMatchObject([{ state: "resolved", resolvedAt: "2026-01-01T00:21:00.000Z" }]);
  // What is pending is shown; what fires and resolves is logged, so that a stream that resumes has it.
  expect(told()).toMatchObject([
    { logged: null, state: "pending" },
    { logged: expect.any(Number), state: "firing" },
    { logged: expect.any(Number), state: "resolved" },
  ]);
  expect((await room.store.events.after(0, 10)).map(({ type }) => type)).toEqual(["alert", "alert"]);
});

test("a restart in between loses no time and tells nothing twice", async () => {
  room.signals.space = { free: 4, total: 100 };
  await room.look();
  room.clock.advance(6 * MINUTE);
  await room.restart();
  await room.look();
  expect((await room.list())[0]?.state).toBe("pending");
  await room.look(4 * MINUTE);
  const [firing] = await room.list();
  expect(firing).toMatchObject({ state: "firing", pendingSince: "2026-01-01T00:00:00.000Z" });
  await room.restart();
  await room.look(MINUTE);
  expect(await room.list()).toEqual([firing]);
  expect(told().filter(({ logged }) => logged !== null)).toHaveLength(1);
});

test("looks by itself, and soon after an event that concerns a rule", async () => {
  await room.alerts.begin();
  await failRounds();
  await room.bus.publish("event", { id: 1, type: "round", data: {}, at: room.clock.now() });
  await settled(ALERT_EVENT_LOOK_MS);
  expect(await room.list()).toMatchObject([
    { rule: "rounds-fail", state: "firing", subject: { task: "digits-task" } },
  ]);
  room.signals.space = { free: 1, total: 100 };
  await settled(ALERT_LOOK_MS);
  expect((await room.list("pending")).map(({ rule }) => rule)).toEqual(["disk-almost-full"]);
});

/** The clock moves on, and what begins then is done. */
async function settled(afterMs: number): Promise<void> {
  room.clock.advance(afterMs);
  // In its turn, after what the timers began.
  await room.alerts.look(new Set());
}

test("an acknowledgement has a name and a comment, is recorded, and can be taken back; what does not fire has none", async () => {
  await failRounds();
  await room.look();
  const [alert] = await room.list();
  const said = { comment: "the phones are off for the night" };
  const by = "Ada";
  const acknowledged = await room.alerts.acknowledge(alert!.id, said, ADA, EVERY_SUBJECT);
  expect(acknowledged.acknowledgement).toEqual({ ...said, by, at: "2026-01-01T00:00:00.000Z" });
  expect((await room.alerts.list({ limit: 1 }, EVERY_SUBJECT)).counts).toEqual({
    firing: 1,
    critical: 0,
    pending: 0,
    unacknowledged: 0,
  });
  await room.alerts.acknowledge(alert!.id, null, OPERATOR_BY_HTTP, EVERY_SUBJECT);
  expect((await room.alerts.list({ limit: 1 }, EVERY_SUBJECT)).counts.unacknowledged).toBe(1);
  const records = await room.store.audit.read(0, 10);
  expect(records.map(({ action, object, detail }) => ({ action, object, detail }))).toEqual([
    {
      action: "alert.acknowledge",
      object: { rule: "rounds-fail", alert: alert!.id, task: "digits-task", model: "digits" },
      detail: { ...said, by },
    },
    {
      action: "alert.unacknowledge",
      object: { rule: "rounds-fail", alert: alert!.id, task: "digits-task", model: "digits" },
      detail: {},
    },
  ]);
  await room.store.tasks.setState(exampleTask().name, "finished");
  await room.look();
  const late = room.alerts.acknowledge(alert!.id, said, OPERATOR_BY_HTTP, EVERY_SUBJECT);
  expect(await codeOf(late)).toBe("coordinator/alert-ended");
  expect(await codeOf(room.alerts.get(99, EVERY_SUBJECT))).toBe("coordinator/unknown-alert");
});

test("a silence of what there is not is refused", async () => {
  await room.publish();
  const silenced = (matcher: NewSilence["matcher"]) =>
    codeOf(
      room.alerts.silence({ matcher, durationMs: HOUR, comment: "a slip" }, OPERATOR_BY_HTTP, EVERY_SUBJECT),
    );
  expect(await silenced({ rule: "drifts" })).toBe("coordinator/unknown-alert-rule");
  expect(await silenced({ model: asModelName("digit") })).toBe("coordinator/unknown-model");
  expect(await silenced({ rule: "drift", task: asTaskName("digit") })).toBe("coordinator/unknown-task");
  expect(await room.alerts.silences(EVERY_SUBJECT)).toEqual([]);
});

test("a silence holds for what matches it, until it ends or is ended", async () => {
  await failRounds();
  await room.look();
  const other = { matcher: { rule: "drift" }, durationMs: HOUR, comment: "not this one" };
  await room.alerts.silence(other, OPERATOR_BY_HTTP, EVERY_SUBJECT);
  expect((await room.list())[0]?.silencedUntil).toBeNull();
  const silence = await room.alerts.silence(
    { matcher: { model: asModelName("digits") }, durationMs: HOUR, comment: "maintenance" },
    ADA,
    EVERY_SUBJECT,
  );
  expect(silence).toMatchObject({ state: "active", by: "Ada", endsAt: "2026-01-01T01:00:00.000Z" });
  expect((await room.list())[0]?.silencedUntil).toBe("2026-01-01T01:00:00.000Z");
  expect((await room.alerts.list({ limit: 9 }, EVERY_SUBJECT)).counts).toMatchObject({
    firing: 1,
    unacknowledged: 0,
  });
  expect(told().at(-1)).toMatchObject({ silencedUntil: "2026-01-01T01:00:00.000Z" });
  room.clock.advance(HOUR);
  expect((await room.list())[0]?.silencedUntil).toBeNull();
  expect((await room.alerts.silences(EVERY_SUBJECT)).map(({ state }) => state)).toEqual(["ended", "ended"]);
  const ahead = await room.alerts.silence(
    {
      matcher: { kind: "rounds-fail" },
      startsAt: "2026-01-02T00:00:00Z",
      durationMs: HOUR,
      comment: "the move",
    },
    OPERATOR_BY_HTTP,
    EVERY_SUBJECT,
  );
  expect(ahead.state).toBe("ahead");
  expect(await room.alerts.endSilence(ahead.id, OPERATOR_BY_HTTP, EVERY_SUBJECT)).toMatchObject({
    state: "ended",
  });
  expect(await codeOf(room.alerts.endSilence(99, OPERATOR_BY_HTTP, EVERY_SUBJECT))).toBe(
    "coordinator/unknown-silence",
  );
  const past = { ...other, startsAt: "2025-01-01T00:00:00Z" };
  expect(await codeOf(room.alerts.silence(past, OPERATOR_BY_HTTP, EVERY_SUBJECT))).toBe(
    "protocol/invalid-document",
  );
  const actions = (await room.store.audit.read(0, 10)).map(({ action }) => action);
  expect(actions).toEqual([
    "alert-silence.create",
    "alert-silence.create",
    "alert-silence.create",
    "alert-silence.end",
  ]);
});

test("rules are changed, disabled, added, narrowed and put back", async () => {
  await failRounds();
  await room.look();
  expect((await room.alerts.rules(EVERY_SUBJECT)).map(({ name }) => name).toSorted()).toEqual(
    BUILT_IN_ALERT_RULES.map(({ name }) => name).toSorted(),
  );
  expect(await room.alerts.rule("rounds-fail", EVERY_SUBJECT)).toMatchObject({
    origin: "built-in",
    state: "firing",
    appliedThreshold: 3,
    unit: "rounds",
    checkedAt: "2026-01-01T00:00:00.000Z",
  });
  const changed = await room.alerts.setRule(
    "rounds-fail",
    { kind: "rounds-fail", threshold: 4 },
    OPERATOR_BY_HTTP,
  );
  // It is looked at by the new threshold at once.
  expect(changed).toMatchObject({ origin: "changed", state: "quiet" });
  expect((await room.list())[0]?.state).toBe("resolved");
  const own = { kind: "rounds-fail", severity: "critical", threshold: 2, tasks: ["digits-task"] };
  expect(await room.alerts.setRule("night", own, OPERATOR_BY_HTTP)).toMatchObject({
    origin: "own",
    state: "firing",
  });
  const elsewhere = { ...own, tasks: ["cats"] };
  expect(await room.alerts.setRule("night", elsewhere, OPERATOR_BY_HTTP)).toMatchObject({ state: "quiet" });
  const off = { kind: "rounds-fail", threshold: 1, enabled: false };
  expect(await room.alerts.setRule("night", off, OPERATOR_BY_HTTP)).toMatchObject({ state: "disabled" });
  await room.alerts.removeRule("night", OPERATOR_BY_HTTP);
  expect(await codeOf(room.alerts.rule("night", EVERY_SUBJECT))).toBe("coordinator/unknown-alert-rule");
  await room.alerts.removeRule("rounds-fail", OPERATOR_BY_HTTP);
  expect(await room.alerts.rule("rounds-fail", EVERY_SUBJECT)).toMatchObject({
    origin: "built-in",
    state: "firing",
  });
  expect(await codeOf(room.alerts.removeRule("rounds-fail", OPERATOR_BY_HTTP))).toBe(
    "coordinator/alert-rule-unchanged",
  );
  const records = await room.store.audit.list({ action: "alert-rule.set" }, { limit: 1 });
  expect(records).toMatchObject([{ object: { rule: "night" }, detail: { enabled: false, threshold: 1 } }]);
});

test("a rule that says what its kind has not is refused with the field that is wrong", async () => {
  const set = (name: string, rule: object) => room.alerts.setRule(name, rule, OPERATOR_BY_HTTP);
  await expect(set("disk-almost-full", { kind: "drift" })).rejects.toMatchObject({
    detail: { path: "/kind" },
  });
  await expect(set("mine", { name: "other", kind: "drift" })).rejects.toMatchObject({
    detail: { path: "/name" },
  });
  await expect(set("mine", { kind: "drift", threshold: -1 })).rejects.toMatchObject({
    detail: { path: "/threshold" },
  });
  await expect(set("mine", { kind: "no-devices", threshold: 1 })).rejects.toMatchObject({
    detail: { path: "/threshold" },
  });
  await expect(set("mine", { kind: "drift", models: ["digits"] })).rejects.toMatchObject({
    detail: { path: "/models" },
  });
  await expect(set("mine", { kind: "nothing" })).rejects.toMatchObject({ detail: { path: "/kind" } });
});

test("a rule that cannot be looked at leaves its alerts as they are, says so, and stops no other", async () => {
  await failRounds();
  await room.look();
  const { space } = room.signals;
  Object.defineProperty(room.signals, "space", {
    configurable: true,
    get: () => {
      throw new TypeError("no such folder");
    },
  });
  await room.look(MINUTE);
  expect(await room.alerts.rule("disk-almost-full", EVERY_SUBJECT)).toMatchObject({
    problem: "core/internal",
  });
  expect((await room.list())[0]?.state).toBe("firing");
  Object.defineProperty(room.signals, "space", { configurable: true, writable: true, value: space });
  await room.look(MINUTE);
  expect((await room.alerts.rule("disk-almost-full", EVERY_SUBJECT)).problem).toBeNull();
});

test("property: pages hold every alert once and in order, whatever their sizes, also while alerts come", async () => {
  const { alerts, store } = room;
  let count = 0;
  const come = (state: AlertView["state"], severity: AlertView["severity"]) => {
    count += 1;
    const resolvedAt = state === "resolved" ? 1_790_000_000_000 + count : null;
    return store.alerts.insert(exampleAlert({ state, severity, resolvedAt, fingerprint: `${count}` }));
  };
  for (let i = 0; i < 24; i += 1)
    await come(ALERT_STATES[i % 3]!, (["info", "critical", "warning"] as const)[i % 4] ?? "info");
  const whole = async () => (await alerts.list({ limit: 500 }, EVERY_SUBJECT)).alerts;
  const order = (await whole()).map(({ state }) => state);
  expect(order).toEqual(order.toSorted((a, b) => STATE_ORDER.indexOf(a) - STATE_ORDER.indexOf(b)));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.constantFrom(...ALERT_STATES), { maxLength: 3 }),
      async (limits, coming) => {
        const before = (await whole()).map(({ id }) => id);
        const seen: number[] = [];
        let cursor: string | null = null;
        for (let turn = 0; turn === 0 || cursor !== null; turn += 1) {
          expect(turn).toBeLessThan(count);
          const limit: number = limits[turn % limits.length]!;
          const page: AlertList = await alerts.list(
            { limit, ...(cursor !== null && { cursor }) },
            EVERY_SUBJECT,
          );
          expect(page.alerts.length).toBeLessThanOrEqual(limit);
          seen.push(...page.alerts.map(({ id }) => id));
          cursor = page.next;
          const state = coming[turn];
          if (state !== undefined) await come(state, "warning");
        }
        expect(new Set(seen).size).toBe(seen.length);
        expect(seen.filter((id) => before.includes(id))).toEqual(before);
      },
    ),
    { numRuns: 20 },
  );
});

test("whoever is of one model gets full pages of what is of it, however much lies between", async () => {
  const models = ["cats", "digits", "cats", "cats", "cats", "digits", "cats"].map((name) =>
    asModelName(name),
  );
  for (const [index, model] of models.entries())
    await room.store.alerts.insert(
      exampleAlert({
        state: "resolved",
        resolvedAt: 1_790_000_000_000 + index,
        subject: { model },
        fingerprint: `${index}`,
      }),
    );
  const ofDigits: SubjectScope = (_right, { model }) => model === "digits";
  const { alerts } = room;
  const page = await alerts.list({ limit: 2 }, ofDigits);
  expect(page.alerts.map(({ id }) => id)).toEqual([6, 2]);
  expect(page.next).toBeNull();
  const first = await alerts.list({ limit: 1 }, ofDigits);
  expect(await alerts.list({ limit: 1, cursor: first.next! }, ofDigits)).toMatchObject({
    alerts: [{ id: 2 }],
    next: null,
  });
  expect((await alerts.list({ limit: 2, model: asModelName("digits") }, EVERY_SUBJECT)).alerts).toHaveLength(
    2,
  );
  expect(await codeOf(alerts.get(1, ofDigits))).toBe("coordinator/unknown-alert");
});
