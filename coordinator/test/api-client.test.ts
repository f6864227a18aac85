import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildLinear } from "@tributary/onnx";
import { TASK_SCHEMA } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type ApiClient,
  type AuditFilter,
  createApiClient,
  cursorBefore,
  pages,
  type ServerEvent,
  subscribeEvents,
} from "../../packages/api-client/src/index.ts";
import { type Coordinator, createCoordinator } from "../src/index.ts";

// Every method of the client and the stream of events, against a real coordinator.

let dataDir: string;
let coordinator: Coordinator;
let api: ApiClient;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-client-"));
  coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent", name: "test" });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
});

afterAll(async () => {
  await coordinator?.close();
  await rm(dataDir, { recursive: true, force: true });
});

test("an operator's whole way: publish, upload, create, pause, read back, hear of all of it", async () => {
  const heard: ServerEvent[] = [];
  const live = Promise.withResolvers<void>();
  const paused = Promise.withResolvers<void>();
  const subscription = subscribeEvents(coordinator.url, {
    token: coordinator.operatorToken,

    onEvent(event) {
      heard.push(event);
      if (event.type === "task" && event.data.state === "paused") paused.resolve();
    },
    onState: (state) => (state.status === "open" ? live.resolve() : undefined),
  });
  await live.promise;

  expect(await api.status()).toMatchObject({ name: "test", models: 0, tasks: 0, devices: { connected: 0 } });
  expect(await api.models()).toEqual([]);
  const version = await api.publishModel("digits", buildLinear({ seed: 1 }));
  expect(version).toMatchObject({ model: "digits", version: 1, parentVersion: null, parameterCount: 7850 });
  expect(await api.versionFiles("digits", 1)).toMatchObject({
    version,
    format: "onnx",
    weights: { digest: version.weightsDigest, sizeBytes: version.sizeBytes },
    step: null,
    missing: [{ what: "round", why: "published" }],
  });
  expect(await api.reproduce("digits", 1)).toMatchObject({ result: "missing", files: [] });
  const { digest, sizeBytes } = await api.uploadBlob(Uint8Array.of(1, 2, 3));
  expect(digest).toBe("039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81");
  expect(sizeBytes).toBe(3);

  const trial = { cohort: { goalCount: 3 }, secureAggregation: { minimumCohort: 3 } };
  const task = await api.createTask({ name: "learn", model: "digits", ...trial });
  expect(task.spec.cohort).toMatchObject({ goalCount: 3, overSelection: 1.3 });
  expect(task.spec.secureAggregation).toMatchObject({ mode: "on", minimumCohort: 3 });
  await api.setTaskState("learn", { state: "paused" });
  expect(await api.task("learn")).toMatchObject({ state: "paused", currentVersion: 1, roundsCommitted: 0 });
  expect((await api.task("learn")).reason).toEqual({ code: "operator", message: "an operator paused it" });
  expect(await api.resetTask("learn", 1)).toMatchObject({
    task: { name: "learn", currentVersion: 1 },
    from: 1,
    optimizer: "anew",
  });
  const none = { nextRoundAt: null, failures: 0, checkedIn: 0, sittingOut: 0, ineligible: {} };
  expect(await api.activity("learn")).toEqual(none);
  expect((await api.tasks()).map(({ name }) => name)).toEqual(["learn"]);
  expect(await api.model("digits")).toMatchObject({ currentVersion: 1, versions: 1 });
  expect((await api.versions("digits")).versions).toEqual([version]);
  expect(Array.isArray((await api.rounds("learn", { limit: 1 })).rounds)).toBe(true);

  await paused.promise;
  subscription.close();
  expect((await subscription.ended).status).toBe("closed");
  expect(heard.find(({ type }) => type === "version")?.data).toEqual(version);
  expect(heard.map(({ type }) => type)).toContain("devices");
});

test("what operators do is in the audit log", async () => {
  const by = async (filter: AuditFilter) =>
    (await api.audit(filter)).records.map(({ action, object }) => [action, object]);
  const [model, task] = ["digits", "learn"];
  expect(await by({ actor: "operator" })).toEqual([
    ["task.reset", { model, task, version: 1 }],
    ["task.pause", { model, task }],
    ["task.create", { model, task, population: "default" }],
    ["blob.upload", {}],
    ["model.release", { model, version: 1, channel: "stable" }],
    ["model.publish", { model, version: 1 }],
    ["key.create", { role: "digits-training", model }],
    ["key.create", { role: "digits", model }],
    ["issuer.set", {}],
  ]);
  await api.releaseVersion(model, 1);
  await api.setTaskState(task, { state: "running", moreRounds: 2 });
  await api.setTaskState(task, { state: "paused" });
  await api.rotateKey("snapshot");
  await api.setKeys("digits", { threshold: 1 });
  expect((await by({ actor: "operator", limit: 5 })).toReversed()).toEqual([
    ["model.release", { model, version: 1, channel: "stable" }],
    ["task.resume", { model, task }],
    ["task.pause", { model, task }],
    ["key.rotate", { role: "snapshot" }],
    ["key.set", { role: "digits", model }],
  ]);
  const { records, head } = await api.audit({ action: "task.resume" });
  expect(records).toMatchObject([{ actor: { kind: "operator", via: "http" }, detail: { rounds: 2 } }]);
  // Keys, tokens and documents are in it by their digests alone.
  const all = await api.auditRecords({ start: 0 });
  expect(all).toHaveLength(head.size);
  expect(JSON.stringify(all)).not.toContain(coordinator.operatorToken);
  expect(await api.auditRecords({ start: 2, limit: 1 })).toEqual([all[2]]);
  expect(await api.audit({ until: "2020-01-01T00:00:00.000Z" })).toMatchObject({ records: [] });
  // Pages run from the newest to the oldest.
  const indices: number[] = [];
  const read = (cursor = cursorBefore(head.size)) => api.audit({ cursor, limit: 4 });
  for await (const { records } of pages(read)) indices.push(...records.map(({ index }) => index));
  expect(indices).toEqual(all.map(({ index }) => index).toReversed());
});

test("the audit log is for operators", async () => {
  const stranger = createApiClient({ baseUrl: coordinator.url });
  const refused = { code: "identity/not-authorized" };
  await expect(stranger.audit()).rejects.toMatchObject(refused);
  await expect(stranger.auditRecords({ start: 0 })).rejects.toMatchObject(refused);
  await expect(api.audit({ action: "model.eat" as never })).rejects.toMatchObject({
    code: "http/bad-request",
  });
});

test("a stream that begins after an event gets what came since, in order, once", async () => {
  const read = (lastEventId: number, until: number): Promise<(number | null)[]> => {
    const ids: (number | null)[] = [];
    const subscription = subscribeEvents(coordinator.url, {
      token: coordinator.operatorToken,

      lastEventId,
      onEvent(event) {
        if (event.type === "devices" || event.type === "storage") return;
        ids.push(event.id);
        if (event.id !== null && event.id >= until) subscription.close();
      },
    });
    return subscription.ended.then(() => ids);
  };
  const all = await read(0, 2);
  expect(all.slice(0, 2)).toEqual([1, 2]);
  expect(await read(1, 2)).toEqual(all.slice(1));
  // An id that was never given out: everything has to be read again.
  const first = Promise.withResolvers<ServerEvent>();
  const subscription = subscribeEvents(coordinator.url, {
    token: coordinator.operatorToken,
    lastEventId: 1e9,
    onEvent: first.resolve,
  });
  expect((await first.promise).type).toBe("reset");
  subscription.close();
  await subscription.ended;
});

test("the schema of task documents is there for everyone", async () => {
  const response = await fetch(`${coordinator.url}/schemas/task.json`);
  expect(response.headers.get("content-type")).toContain("application/schema+json");
  expect(await response.json()).toEqual(TASK_SCHEMA);
});

test("refusals are coded", async () => {
  const stranger = createApiClient({ baseUrl: coordinator.url });
  await expect(stranger.publishModel("x", Uint8Array.of(1))).rejects.toMatchObject({
    code: "identity/not-authorized",
  });
  await expect(api.task("nothing")).rejects.toMatchObject({ code: "coordinator/unknown-task" });
  await expect(api.activity("nothing")).rejects.toMatchObject({ code: "coordinator/unknown-task" });
  await expect(api.round("nothing")).rejects.toMatchObject({ code: "http/not-found" });
  await expect(api.publishModel("broken", Uint8Array.of(1, 2, 3))).rejects.toMatchObject({
    retryable: false,
  });
});
