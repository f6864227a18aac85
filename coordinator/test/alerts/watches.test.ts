import { readFileSync } from "node:fs";
import { join } from "node:path";
import { asModelVersion, asRoundId, asTaskName, encodeUtf8 } from "@tributary/core";
import { initialRollout, metricSchemaOf, type RolloutState } from "@tributary/federation";
import { createMetrics, record } from "@tributary/metrics";
import {
  alertThreshold,
  BUILT_IN_ALERT_RULES,
  parseAlertRule,
  parseTaskSpec,
  type AlertKind,
  type MetricDocument,
  type VerdictView,
} from "@tributary/protocol";
import { addSignatures, generateTufKey } from "@tributary/tuf";
import SqliteDatabase from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createBusyMeter } from "../../src/alerts/busy-meter.ts";
import { createRecentPush } from "../../src/alerts/recent-push.ts";
import type { AlertSignals, Finding } from "../../src/alerts/finding.ts";
import { usualDevices } from "../../src/alerts/watch/fleet.ts";
import { createWatches } from "../../src/alerts/watch/index.ts";
import { createReleases } from "../../src/releases/releases.ts";
import { resolveConfig } from "../../src/config.ts";
import {
  exampleAudit,
  exampleBlob,
  exampleDevice,
  exampleRound,
  exampleTask,
  exampleVersion,
} from "../../src/testing/index.ts";
import { exampleRollout } from "../../src/testing/describe-stored-rollouts.ts";
import { openAlertsRoom, type AlertsRoom } from "./alerts-room.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
let room: AlertsRoom;
let watches = createWatches();

beforeEach(async () => {
  room = await openAlertsRoom();
  watches = createWatches();
});
afterEach(() => room.dispose());

/** What a rule of a kind finds now, by its own threshold. */
async function found(
  kind: AlertKind,
  more: object = {},
  signals: Partial<AlertSignals> = {},
): Promise<readonly Finding[]> {
  const rule = parseAlertRule({ name: "one", kind, ...more });
  const all: AlertSignals = {
    store: room.store,
    blobs: room.blobs,
    space: () => Promise.resolve(room.signals.space),
    devices: () => room.signals.devices,
    refusedVersions: () => room.signals.refused,
    push: () => room.signals.push,
    storageProblem: () => room.signals.problem,
    busy: () => room.signals.busy,
    ...signals,
  };
  return watches[kind](all, rule, { threshold: alertThreshold(rule) ?? 0, now: room.clock.now() });
}

test("rules that Prometheus has too are called the same, and look for the same", () => {
  const text = readFileSync(join(import.meta.dirname, "../../observability/alerts.yml"), "utf8");
  const own = new Map(BUILT_IN_ALERT_RULES.map((rule) => [rule.name, rule]));
  const blocks = text.split(/^\s*- alert: Tributary/m).slice(1);
  const names = blocks.map((block) => /^\w+/.exec(block)![0]);
  // What the coordinator cannot say of itself.
  const here = names.filter((name) => name !== "Down");
  const minutes = (block: string): number => Number(/for: (\d+)m/.exec(block)?.[1] ?? 0);
  for (const [i, name] of names.entries()) {
    if (name === "Down") continue;
    const rule = own.get(name.replaceAll(/(?<!^)[A-Z]/g, "-$&").toLowerCase());
    expect(rule, name).toBeDefined();
    expect(rule!.forMs, name).toBe(60_000 * minutes(blocks[i]!));
    expect(rule!.severity, name).toBe(/severity: (\w+)/.exec(blocks[i]!)![1]);
  }
  expect(here.length).toBeGreaterThanOrEqual(9);
  const thresholds = Object.fromEntries(
    BUILT_IN_ALERT_RULES.map((rule) => [rule.name, alertThreshold(rule)]),
  );
  expect(thresholds).toMatchObject({
    "disk-almost-full": Number(/total"} < ([\d.]+)/.exec(text)![1]),
    "metadata-expires": Number(/< (\d+) \* 86400/.exec(text)![1]),
    "metadata-not-renewed": Number(/time\(\) < (\d+)\n/.exec(text)![1]) / 60,
    "rounds-fail": Number(/in_a_row >= (\d+)/.exec(text)![1]),
    "accuracy-fell": Number(/\[7d\]\)\) - ([\d.]+)/.exec(text)![1]),
    "version-refused": Number(/refused_version_devices\) >= (\d+)/.exec(text)![1]),
    "push-slow": Number(/bucket\[1h\]\)\)\) > (\d+)/.exec(text)![1]),
  });
});

test("rounds in a row since the task was let go on; harmless ends and gates do not count", async () => {
  await room.publish();
  await room.store.tasks.insert(exampleTask({ activeSince: exampleRound(2).startedAt }));
  const ended = { phase: "abandoned", endedAt: 1_790_000_001_000, reason: "round/too-few-devices" } as const;
  for (const number of [1, 2, 3]) await room.store.rounds.insert(exampleRound(number, ended));
  expect(await found("rounds-fail")).toEqual([]);
  await room.store.rounds.insert(exampleRound(4, { ...ended, purpose: "gate" }));
  expect(await found("rounds-fail", { threshold: 2 })).toMatchObject([
    { subject: { task: "digits-task", model: "digits" }, value: 2 },
  ]);
  await room.store.rounds.insert(exampleRound(5, ended));
  expect(await found("rounds-fail")).toMatchObject([
    {
      value: 3,
      summary: "3 rounds in a row of digits-task were abandoned, the last with round/too-few-devices",
    },
  ]);
  const reason = { code: "consecutive-failures", message: "3 rounds in a row failed" } as const;
  await room.store.tasks.setState(asTaskName("digits-task"), "paused", { reason });
  expect((await found("rounds-fail"))[0]?.summary).toMatch(/the task has paused$/);
  await room.store.tasks.setState(asTaskName("digits-task"), "paused", {
    reason: { code: "operator", message: "an operator paused it" },
  });
  expect(await found("rounds-fail")).toEqual([]);
});

test("a newest version that is worse by its whole interval, or by its gate's, and no other", async () => {
  await room.publish();
  const { versions } = room.store;
  expect(await found("accuracy-fell")).toEqual([]);
  // The champion of this test is measured too.
  await versions.insert(exampleVersion(2, { accuracy: 0.95, releasedAt: 5 }));
  const measured = (number: number, accuracy: number, upper: number) =>
    exampleVersion(number, {
      releasedAt: null,
      accuracy,
      lineage: {
        ...exampleVersion(number).lineage!,
        intervals: { accuracy: { lower: accuracy - 0.01, upper, confidence: 0.95 } },
      },
    });
  await versions.insert(measured(3, 0.9, 0.94));
  expect(await found("accuracy-fell")).toEqual([]);
  await versions.insert(measured(4, 0.9, 0.92));
  expect(await found("accuracy-fell")).toMatchObject([
    {
      subject: { model: "digits" },
      value: expect.closeTo(0.05),
      summary: expect.stringContaining("Version 4 of digits"),
    },
  ]);
  await versions.insert(exampleVersion(5, { releasedAt: null, accuracy: null }));
  expect(await found("accuracy-fell")).toEqual([]);
  const verdict = (upper: number): VerdictView => ({
    result: "failed",
    metric: "accuracy",
    reference: asModelVersion(2),
    devices: 30,
    examples: 900,
    improvement: -0.06,
    lower: -0.09,
    upper,
    requiredImprovement: 0,
    confidence: 0.95,
    mcNemarP: 0.001,
    roundId: asRoundId("digits-task-9"),
    at: "2026-01-01T00:00:00.000Z",
  });
  await versions.setGate(exampleVersion(5).model, asModelVersion(5), verdict(-0.01));
  expect(await found("accuracy-fell")).toEqual([]);
  await versions.setGate(exampleVersion(5).model, asModelVersion(5), verdict(-0.03));
  expect(await found("accuracy-fell")).toMatchObject([
    {
      value: 0.06,
      summary: expect.stringContaining("version 5 of digits is less accurate than version 2 by 6 %"),
    },
  ]);
});

test("gates that fail in a row, until an operator lets the task go on", async () => {
  await room.publish();
  const spec = parseTaskSpec({ name: "digits-task", model: "digits", gate: {} });
  const gate = { reference: asModelVersion(1), candidate: null, failures: 2, last: null };
  await room.store.tasks.insert(exampleTask({ spec, gate }));
  expect(await found("gate-failed")).toMatchObject([{ value: 2, subject: { task: "digits-task" } }]);
  expect(await found("gate-failed", { threshold: 3 })).toEqual([]);
  await room.store.tasks.setGate(spec.name, { ...gate, failures: 0 });
  expect(await found("gate-failed")).toEqual([]);
});

test("the last rollout of a channel that a gate or a deadline stopped, for a day", async () => {
  await room.publish(2);
  const first = exampleRollout(1);
  await room.store.rollouts.insert(first);
  const now = room.clock.now();
  const reason = { code: "gate", message: "crashes: worse by 0.2" } as const;
  expect(await found("rollout-failed")).toEqual([]);
  const paused: RolloutState = {
    ...first.state,
    phase: "paused",
    pausedAt: now,
    reason: { ...reason, code: "deadline" },
  };
  await room.store.rollouts.update({ ...first, state: paused });
  expect(await found("rollout-failed")).toMatchObject([{ summary: expect.stringContaining("was paused") }]);
  const back: RolloutState = { ...first.state, phase: "rolled-back", endedAt: now, reason };
  await room.store.rollouts.update({ ...first, state: back, endedAt: now });
  expect(await found("rollout-failed")).toMatchObject([
    {
      subject: { model: "digits", channel: "stable", rollout: "stable-1" },
      summary: "Rollout stable-1 of digits was rolled back: crashes: worse by 0.2",
    },
  ]);
  room.clock.advance(25 * HOUR);
  expect(await found("rollout-failed")).toEqual([]);
  expect(await found("rollout-failed", { threshold: 48 })).toHaveLength(1);
  // The next one is what counts.
  const second = exampleRollout(2);
  await room.store.rollouts.insert({ ...second, state: initialRollout(second.config, room.clock.now()) });
  expect(await found("rollout-failed", { threshold: 48 })).toEqual([]);
  const byHand: RolloutState = {
    ...second.state,
    phase: "rolled-back",
    endedAt: room.clock.now(),
    reason: { code: "operator", message: "an operator: rollback" },
  };
  await room.store.rollouts.update({ ...second, state: byHand, endedAt: room.clock.now() });
  expect(await found("rollout-failed", { threshold: 48 })).toEqual([]);
});

test("what devices predict now is compared with what they predicted first", async () => {
  await room.publish();
  const spec = parseTaskSpec({ name: "digits-task", model: "digits", kind: "telemetry", rounds: 9 });
  const metrics: MetricDocument[] = [
    { name: "predictions", kind: "histogram", edges: [0, 1, 2, 3, 4], spacing: "linear", maximum: 1e6 },
  ];
  const schema = metricSchemaOf(metrics);
  const document = {
    formatVersion: 1,
    kind: "telemetry",
    task: spec.name,
    model: spec.model,
    population: "default",
    metrics,
  };
  const plan = await room.blobs.put(encodeUtf8(JSON.stringify(document)));
  await room.store.tasks.insert(
    exampleTask({ spec, plan: { number: 1, target: "plans/x/1.json", ...plan } }),
  );
  const measure = async (number: number, ofClass: (i: number) => number): Promise<void> => {
    const round = exampleRound(number, { purpose: "telemetry", phase: "committed", endedAt: number });
    await room.store.rounds.insert(round);
    const sums = createMetrics(schema);
    for (let i = 0; i < 400; i++) record(schema, sums, "predictions" as never, ofClass(i));
    await room.store.measurements.insert({
      roundId: round.id,
      task: spec.name,
      model: spec.model,
      purpose: "telemetry",
      version: asModelVersion(1),
      candidate: null,
      devices: 20,
      metrics,
      sums: Array.from(sums),
      confidence: 0.95,
      at: number,
    });
  };
  await measure(1, (i) => i % 4);
  expect(await found("drift")).toEqual([]);
  await measure(2, (i) => (i + 1) % 4);
  expect(await found("drift")).toEqual([]);
  await measure(3, (i) => (i % 10 === 0 ? 1 : 0));
  expect(await found("drift")).toMatchObject([
    { subject: { task: "digits-task", model: "digits" }, summary: expect.stringContaining("predictions (") },
  ]);
  expect(await found("drift", { threshold: 100 })).toEqual([]);
});

test("devices that come less than they usually do at this hour; a few days or devices say nothing", async () => {
  const day = Math.floor(room.clock.now() / DAY);
  const hours = (...counts: number[]) =>
    counts.map((devices, i) => ({ hour: (day + i - counts.length + 1) * 24 + 11, devices }));
  const now = day * DAY + 12 * HOUR + 5;
  expect(usualDevices(hours(40, 50, 60, 20), now)).toEqual({ devices: 20, usual: 50 });
  expect(usualDevices(hours(40, 50, 20), now)).toBeUndefined();
  expect(usualDevices(hours(4, 4, 4, 0), now)).toBeUndefined();
  // Of an hour in which none came nothing is noted.
  expect(usualDevices(hours(40, 50, 60, 20), now + DAY)).toEqual({ devices: 0, usual: 45 });
  expect(usualDevices(hours(10, 20, 30, 40, 50, 60, 70, 1), now)).toEqual({ devices: 1, usual: 40 });
  // As the fleet's own rows say.
  const devices = Array.from({ length: 12 }, (_, index) => exampleDevice(index));
  for (const device of devices) await room.store.devices.enrol(device);
  const come = (count: number) =>
    room.store.fleet.record(
      devices
        .slice(0, count)
        .map(({ deviceId }) => ({ deviceId, at: room.clock.now(), checkIns: 1, versions: [] })),
    );
  for (let past = 0; past < 4; past++) {
    await come(12);
    room.clock.advance(DAY);
  }
  await come(2);
  // The coordinator has to have been there for the hour.
  room.clock.advance(HOUR);
  expect(await found("devices-silent")).toEqual([]);
  room.clock.advance(DAY - HOUR);
  expect(await found("devices-silent")).toEqual([]);
  room.clock.advance(HOUR);
  expect(await found("devices-silent")).toMatchObject([
    { value: 0, summary: "0 devices came in the last hour, 0 % of the 12 that usually do at this time" },
  ]);
  expect(await found("devices-silent", { threshold: 0 })).toHaveLength(1);
});

test("what the process says of itself", async () => {
  expect(await found("coordinator-busy")).toEqual([]);
  room.signals.busy = 0.97;
  expect(await found("coordinator-busy")).toMatchObject([{ value: 0.97 }]);
  room.signals.problem = { code: "store/quota-exceeded", since: 0 };
  expect(await found("storage-problem")).toMatchObject([
    { summary: expect.stringContaining("store/quota-exceeded") },
  ]);
  const push = createRecentPush();
  for (let i = 0; i < 200; i++) push.record(room.clock.now(), i < 197 ? 500 : 90_000);
  room.signals.push = push.view(room.clock.now());
  expect(await found("push-slow")).toMatchObject([{ value: 90 }]);
  expect(push.view(room.clock.now() + HOUR + 1)).toBeNull();
  const refused = { model: "digits", version: 2, code: "runtime/self-check-failed" };
  room.signals.refused = [
    { ...refused, devices: 3 },
    { ...refused, version: 1, devices: 2 },
  ];
  expect(await found("version-refused")).toMatchObject([{ subject: refused, value: 3 }]);
  const meter = createBusyMeter();
  const until = performance.now() + 5;
  while (performance.now() < until);
  expect(meter()).toBeGreaterThan(0);
  await room.publish();
  room.signals.devices = { connected: 0, training: 0 };
  expect(await found("no-devices")).toEqual([]);
  await room.store.tasks.insert(exampleTask());
  expect(await found("no-devices")).toMatchObject([
    { summary: "1 task is running and no device is connected" },
  ]);
});

test("metadata that nobody signs anew", async () => {
  const config = resolveConfig({ dataDir: room.folder });
  const releases = await createReleases({ config, env: room.env, store: room.store });
  await releases.close();
  expect(await found("metadata-expires")).toEqual([]);
  expect(await found("metadata-not-renewed")).toEqual([]);
  room.clock.advance(7 * DAY - HOUR / 2);
  expect((await found("metadata-not-renewed")).map(({ subject }) => subject)).toEqual([
    { role: "timestamp" },
  ]);
  room.clock.advance(70 * DAY);
  const roles = (await found("metadata-expires")).map(({ subject }) => subject.role);
  expect(roles).toContain("targets");
  expect(roles).not.toContain("timestamp");
});

test("a release that waits for signatures, until it is signed", async () => {
  const config = resolveConfig({ dataDir: room.folder });
  const releases = await createReleases({ config, env: room.env, store: room.store });
  await room.publish();
  const release = (path: string) =>
    releases.release({ put: [{ role: "digits", path, ...exampleBlob(path), custom: null }] }, (change) =>
      room.store.releases.apply(change),
    );
  await release("models/digits/stable.json");
  expect(await found("signatures-missing")).toEqual([]);
  const elsewhere = (await generateTufKey()).signer;
  const here = await releases.keys.publicKeys("digits");
  await releases.keys.set("digits", { keys: [...here, elsewhere.key] });
  await releases.keys.set("digits", { threshold: 2 });
  await release("models/digits/beta.json");
  expect(await found("signatures-missing")).toMatchObject([
    {
      subject: { role: "digits", model: "digits" },
      summary: "A change of digits waits for signatures: 1 of 2 are there",
      advice: expect.stringContaining("tributary keys export digits"),
    },
  ]);
  const { bytes } = await releases.keys.draft("digits");
  await releases.keys.sign("digits", await addSignatures(bytes, [elsewhere]));
  expect(await found("signatures-missing")).toEqual([]);
  await releases.close();
});

test("a record of the audit log that was edited, also long after it was read, and one that was cut off", async () => {
  for (let i = 0; i < 5; i++) await room.store.audit.append([exampleAudit("task.pause")], i);
  expect(await found("audit-broken")).toEqual([]);
  await room.store.audit.append([exampleAudit("task.resume")], 6);
  expect(await found("audit-broken")).toEqual([]);
  const raw = new SqliteDatabase(join(room.folder, "tributary.db"));
  raw.exec("update audit_records set action = 'task.finish' where record_index = 2");
  // It was read before: it is read again the day after.
  expect(await found("audit-broken")).toEqual([]);
  room.clock.advance(DAY);
  expect(await found("audit-broken")).toMatchObject([
    {
      subject: { code: "audit/record-edited" },
      value: 2,
      advice: expect.stringContaining("tributary audit verify"),
    },
  ]);
  expect(await found("audit-broken")).toHaveLength(1);
  raw.exec("update audit_records set action = 'task.pause' where record_index = 2");
  expect(await found("audit-broken")).toEqual([]);
  raw.exec("delete from audit_records where record_index = 5");
  raw.close();
  expect(await found("audit-broken")).toMatchObject([{ subject: { code: "audit/cut-off" } }]);
});
