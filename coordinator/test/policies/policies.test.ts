import { asModelVersion, asRoundId, asTaskName, encodeUtf8, type ModelVersion } from "@tributary/core";
import { metricSchemaOf } from "@tributary/federation";
import { createMetrics, record } from "@tributary/metrics";
import { parseTaskSpec, type MetricDocument, type VerdictView } from "@tributary/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EVERY_SUBJECT } from "../../src/access/subject-scope.ts";
import { OPERATOR_BY_HTTP } from "../operator.ts";
import { createPolicies, POLICY_RETRY_MS, type Policies } from "../../src/policies/policies.ts";
import { codeOf, exampleRound, exampleTask } from "../../src/testing/index.ts";
import { DIGITS, openRolloutsRoom, type RolloutsRoom } from "../rollouts/rollouts-room.ts";

const DAY = 86_400_000;
const WATCH = asTaskName("watch");
const LEARN = asTaskName("learn");
let room: RolloutsRoom;
let policies: Policies;

const open = (): Policies => createPolicies({ env: room.env, blobs: room.blobs, ...room.rooms });

beforeEach(async () => {
  room = await openRolloutsRoom();
  policies = open();
});
afterEach(async () => {
  await policies.close();
  await room.dispose();
});

async function restart(): Promise<void> {
  await policies.close();
  await room.restart();
  policies = open();
}

const set = (document: object) => policies.set("auto", document, OPERATOR_BY_HTTP, EVERY_SUBJECT);
const decided = async () =>
  (await policies.decisions({ limit: 99 }, EVERY_SUBJECT)).decisions.map(({ outcome, reason }) => [
    outcome,
    reason.split(":")[0],
  ]);
const recorded = async () =>
  (await room.rooms.store.audit.list({ action: "policy.decide" }, { limit: 99 })).map(
    ({ object, detail }) => ({
      ...object,
      outcome: detail["outcome"],
    }),
  );

describe("training where data drifts", () => {
  const metrics: MetricDocument[] = [
    { name: "predictions", kind: "histogram", edges: [0, 1, 2, 3, 4], spacing: "linear", maximum: 1e6 },
  ];
  let number = 0;

  /** A task that is paused, and one that measures. */
  async function prepared(): Promise<void> {
    number = 0;
    await room.publish(1);
    const spec = parseTaskSpec({ name: WATCH, model: DIGITS, kind: "telemetry", rounds: 99 });
    const document = {
      formatVersion: 1,
      kind: "telemetry",
      task: WATCH,
      model: DIGITS,
      population: "default",
      metrics,
    };
    const plan = await room.blobs.put(encodeUtf8(JSON.stringify(document)));
    const { store } = room.rooms;
    await store.tasks.insert(
      exampleTask({ name: WATCH, spec, plan: { number: 1, target: "plans/watch/1.json", ...plan } }),
    );
    await store.tasks.insert(
      exampleTask({
        name: LEARN,
        state: "paused",
        spec: parseTaskSpec({ name: LEARN, model: DIGITS, rounds: 5 }),
        plan: { number: 1, target: "plans/learn/1.json", ...plan },
      }),
    );
    await measure(false);
  }

  async function measure(drifts: boolean): Promise<void> {
    number += 1;
    const { store } = room.rooms;
    const round = exampleRound(number, {
      id: asRoundId(`watch-${number}`),
      task: WATCH,
      purpose: "telemetry",
      phase: "committed",
      endedAt: number,
    });
    await store.rounds.insert(round);
    const schema = metricSchemaOf(metrics);
    const sums = createMetrics(schema);
    for (let i = 0; i < 400; i++)
      record(schema, sums, "predictions" as never, drifts && i % 10 > 0 ? 0 : i % 4);
    await store.measurements.insert({
      roundId: round.id,
      task: WATCH,
      model: DIGITS,
      purpose: "telemetry",
      version: asModelVersion(1),
      candidate: null,
      devices: 20,
      metrics,
      sums: Array.from(sums),
      confidence: 0.95,
      at: room.clock.now(),
    });
  }

  const looked = async (drifts: boolean, afterMs = 3_600_000): Promise<void> => {
    room.clock.advance(afterMs);
    await measure(drifts);
    await policies.look();
  };
  const taskState = async () => {
    const task = await room.rooms.store.tasks.get(LEARN);
    return [task?.state, task?.spec.rounds];
  };
  const policy = {
    does: { kind: "train-on-drift", telemetryTask: WATCH, task: LEARN, rounds: 50 },
    cooldownMs: DAY,
  };

  test("starts what was prepared after two measurements that drifted, once, also when the process ends in between", async () => {
    await prepared();
    await set(policy);
    await looked(true);
    expect(await taskState()).toEqual(["paused", 5]);
    await looked(false);
    await looked(true);
    expect(await decided()).toEqual([]);
    await looked(true);
    expect(await taskState()).toEqual(["running", 50]);
    expect(await decided()).toEqual([["done", expect.stringMatching(/^predictions drifted to a PSI of/)]]);
    await restart();
    await policies.look();
    await room.rooms.store.tasks.setState(LEARN, "paused");
    await restart();
    await policies.look();
    expect(await decided()).toHaveLength(1);
    expect(await recorded()).toEqual([{ policy: "auto", model: "digits", task: "learn", outcome: "done" }]);
    const [resumed] = await room.rooms.store.audit.list({ action: "task.resume" }, { limit: 1 });
    expect(resumed?.actor).toEqual({ kind: "coordinator", policy: "auto" });
  });

  test("waits for its cool-down and new evidence, and spends no more than its budget", async () => {
    await prepared();
    await set({ ...policy, budget: { decisions: null, rounds: 100, periodMs: 7 * DAY } });
    const again = async (afterMs: number): Promise<number> => {
      await room.rooms.store.tasks.setState(LEARN, "paused");
      await looked(true, afterMs);
      await looked(true);
      return (await decided()).length;
    };
    expect(await again(0)).toBe(1);
    expect(await policies.get("auto", EVERY_SUBJECT)).toMatchObject({
      state: "cooling-down",
      roundsInPeriod: 50,
    });
    expect(await again(DAY / 2)).toBe(1);
    expect(await again(DAY / 2)).toBe(2);
    expect(await again(2 * DAY)).toBe(2);
    expect(await policies.get("auto", EVERY_SUBJECT)).toMatchObject({
      state: "watching",
      roundsInPeriod: 100,
    });
    expect(await again(5 * DAY)).toBe(3);
  });

  test("in a dry run says what it would do, and disabled does nothing", async () => {
    await prepared();
    await set({ ...policy, dryRun: true });
    await looked(true);
    await looked(true);
    expect(await decided()).toEqual([["dry-run", expect.stringMatching(/^predictions/)]]);
    expect(await taskState()).toEqual(["paused", 5]);
    expect(await recorded()).toMatchObject([{ outcome: "dry-run" }]);
    const off = await set({ ...policy, enabled: false });
    expect(off.state).toBe("disabled");
    await looked(true, 2 * DAY);
    await looked(true);
    expect(await decided()).toHaveLength(1);
    await set(policy);
    await policies.look();
    expect(await taskState()).toEqual(["running", 50]);
  });

  test("what cannot be done is recorded once, tried again later, and then done", async () => {
    await prepared();
    const other = parseTaskSpec({ name: "other", model: DIGITS });
    const { store } = room.rooms;
    await store.tasks.insert(exampleTask({ name: asTaskName("other"), spec: other }));
    await set(policy);
    await looked(true);
    await looked(true);
    for (let i = 0; i < 3; i++) await policies.look();
    room.clock.advance(POLICY_RETRY_MS);
    await policies.look();
    expect(await decided()).toEqual([["failed", expect.anything()]]);
    expect(await recorded()).toMatchObject([{ outcome: "failed" }]);
    await store.tasks.setState(asTaskName("other"), "finished");
    room.clock.advance(POLICY_RETRY_MS);
    await policies.look();
    expect(await decided()).toEqual([["done", expect.anything()]]);
    expect(await taskState()).toEqual(["running", 50]);
  });

  test("names what there is, and says which field is wrong", async () => {
    await prepared();
    const none = { ...policy, does: { ...policy.does, task: "none" } };
    expect(await codeOf(set(none))).toBe("coordinator/unknown-task");
    expect(await codeOf(set({ does: { kind: "promote", model: "none" } }))).toBe("coordinator/unknown-model");
    expect(await codeOf(set({ does: { kind: "promote", model: DIGITS, by: "alias" } }))).toBe(
      "protocol/invalid-document",
    );
    const gates = [{ metric: "errors", evidence: "cohorts" }];
    const promote = (telemetryTask: string) => ({
      does: { kind: "promote", model: DIGITS, rollout: { gates, telemetryTask } },
    });
    expect(await codeOf(set(promote("none")))).toBe("coordinator/unknown-task");
    for (const [document, path] of [
      [{ does: { kind: "promote", model: DIGITS, by: "alias", alias: "champion" } }, "/does/alias"],
      [{ ...policy, does: { ...policy.does, task: WATCH } }, "/does/task"],
      [{ ...policy, does: { ...policy.does, telemetryTask: LEARN } }, "/does/telemetryTask"],
      [promote(LEARN), "/does/rollout/telemetryTask"],
    ] as const)
      await expect(set(document)).rejects.toMatchObject({
        code: "protocol/invalid-document",
        detail: { path },
      });
    expect(await policies.list(EVERY_SUBJECT)).toEqual([]);
    expect(await set(promote(WATCH))).toMatchObject({ name: "auto" });
    await policies.remove("auto", OPERATOR_BY_HTTP, EVERY_SUBJECT);
    const wrong = { does: { kind: "promote", model: DIGITS, rollout: { steps: [{ percent: 200 }] } } };
    expect(await codeOf(set(wrong))).toBe("protocol/invalid-document");
    expect(await codeOf(policies.get("auto", EVERY_SUBJECT))).toBe("coordinator/unknown-policy");
    expect(await codeOf(policies.remove("auto", OPERATOR_BY_HTTP, EVERY_SUBJECT))).toBe(
      "coordinator/unknown-policy",
    );
  });
});

describe("promoting what its gate found good", () => {
  const verdict = (result: VerdictView["result"]): VerdictView => ({
    result,
    metric: "accuracy",
    reference: asModelVersion(1),
    devices: 30,
    examples: 900,
    improvement: 0.02,
    lower: 0.01,
    upper: 0.03,
    requiredImprovement: 0,
    confidence: 0.95,
    mcNemarP: 0.001,
    roundId: asRoundId("learn-9"),
    at: "2026-01-01T00:00:00.000Z",
  });
  const judge = (version: number, result: VerdictView["result"] = "passed") =>
    room.rooms.store.versions.setGate(DIGITS, asModelVersion(version), verdict(result));
  const promote = (more: object = {}) => ({
    cooldownMs: 0,
    does: { kind: "promote", model: DIGITS, by: "release", ...more },
  });
  const points = (): Promise<ModelVersion | undefined> => room.points();

  test("moves the channel to the newest that passed, and not to one that failed, is older, or was withdrawn", async () => {
    await room.publish(4);
    await set(promote());
    await judge(3, "failed");
    await policies.look();
    expect(await points()).toBe(1);
    await judge(2);
    await policies.look();
    expect(await points()).toBe(2);
    await restart();
    await policies.look();
    expect(await recorded()).toEqual([{ policy: "auto", model: "digits", version: 2, outcome: "done" }]);
    await judge(4);
    await room.rooms.rollouts.withdraw(DIGITS, asModelVersion(4), "it calls a 1 a 7", OPERATOR_BY_HTTP);
    await policies.look();
    expect(await points()).toBe(2);
    const [decision] = (await policies.decisions({ policy: "auto", limit: 1 }, EVERY_SUBJECT)).decisions;
    expect(decision).toMatchObject({
      version: 2,
      evidence: { champion: 1, reference: 1, lower: 0.01, confidence: 0.95, by: "release" },
    });
  });

  test("gives a name alone, once", async () => {
    await room.publish(3);
    await set(promote({ by: "alias", alias: "best" }));
    await judge(2);
    await policies.look();
    await policies.look();
    expect((await room.rooms.store.aliases.get(DIGITS, "best"))?.version).toBe(2);
    expect(await points()).toBe(1);
    await judge(3);
    await policies.look();
    expect((await room.rooms.store.aliases.get(DIGITS, "best"))?.version).toBe(3);
    expect(await decided()).toHaveLength(2);
  });

  test("starts a rollout, and the next one when that has ended", async () => {
    await room.publish(3);
    const rollout = { gates: [], steps: [{ percent: 100, minimumMs: 0 }] };
    await set(promote({ by: "rollout", rollout }));
    await judge(2);
    await policies.look();
    const [first] = (await room.rooms.rollouts.list(DIGITS, { limit: 9 })).rollouts;
    expect(first).toMatchObject({
      rollout: "stable-1",
      state: "running",
      arms: [{ name: "challenger", version: 2 }],
    });
    await judge(3);
    await policies.look();
    expect((await room.rooms.rollouts.list(DIGITS, { limit: 9 })).rollouts).toHaveLength(1);
    await room.look(60_000);
    await room.look(60_000);
    expect(await points()).toBe(2);
    await policies.look();
    expect((await room.rooms.rollouts.list(DIGITS, { limit: 9 })).rollouts[0]).toMatchObject({
      arms: [{ version: 3 }],
    });
    const [started] = await room.rooms.store.audit.list({ action: "rollout.start" }, { limit: 1 });
    expect(started?.actor).toEqual({ kind: "coordinator", policy: "auto" });
  });

  test("a task may say that its versions are rolled out; what has no evidence yet is tried again", async () => {
    await room.publish(2);
    const spec = parseTaskSpec({ name: LEARN, model: DIGITS, release: "rollout" });
    await room.rooms.store.tasks.insert(exampleTask({ name: LEARN, spec, state: "paused" }));
    await policies.look();
    expect(await decided()).toEqual([["failed", "version 2 of digits is new"]]);
    for (let device = 0; device < 20; device++) await room.tell(device, 1);
    room.clock.advance(POLICY_RETRY_MS);
    await policies.look();
    expect((await room.rooms.rollouts.list(DIGITS, { limit: 9 })).rollouts).toMatchObject([
      { state: "running", arms: [{ name: "challenger", version: 2 }] },
    ]);
    expect((await policies.decisions({ limit: 1 }, EVERY_SUBJECT)).decisions[0]).toMatchObject({
      policy: "task:learn",
      outcome: "done",
    });
  });
});
