import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import type { Offer } from "@tributary/protocol";
import { createRuntime } from "@tributary/runtime/node";
import type { Runtime, RuntimeEvent } from "@tributary/runtime";
import { expect, test } from "vitest";
import { nodeRoom, type NodeRoom } from "../fixtures/node-room.ts";
import { startSite, type Site, type SiteSession } from "../fixtures/site.ts";

// What a device keeps, lets go of and gives up over its life.

let dataDir: string;
let site: Site;
let start: NodeRoom["start"];
let runtimes: Runtime[];
nodeRoom((room) => ({ dataDir, site, runtimes, start } = room));

async function until<Type extends RuntimeEvent["type"]>(
  events: AsyncIterable<RuntimeEvent>,
  type: Type,
): Promise<Extract<RuntimeEvent, { type: Type }>> {
  for await (const event of events) {
    if (event.type === type) return event as Extract<RuntimeEvent, { type: Type }>;
  }
  throw new Error(`the events ended before "${type}"`);
}

async function push(session: SiteSession, version: number): Promise<void> {
  await site.repository.release(version);
  session.send({
    type: "release",
    model: "digits" as never,
    channel: "stable",
    version: version as never,
    timestampVersion: site.repository.versions.timestamp,
  });
}

function offerOf(task: string, roundId: string): { type: "offer" } & Offer {
  const { targets, versions } = site.repository;
  const planTarget = `models/digits/plans/${task}/1.json`;
  const weightsTarget = "models/digits/versions/1/weights.safetensors";
  return {
    type: "offer",
    task: task as never,
    roundId: roundId as never,
    round: 1,
    baseVersion: 1 as never,
    planTarget,
    planDigest: targets.get(planTarget)!.sha256,
    weightsTarget,
    weightsDigest: targets.get(weightsTarget)!.sha256,
    trainDeadlineMs: Date.now() + 60_000,
    timestampVersion: versions.timestamp,
    trainingRound: 1,
  };
}

const image = new Uint8Array(784).fill(9);

test("a device in two tasks answers each round in its own task only", async () => {
  await site.repository.releasePlan();
  await site.repository.releasePlan({}, "other-task");
  const runtime = await start();
  const digits = await runtime.model("digits");
  await digits.examples.add({ image, label: 3 });
  runtime.participate({ consent: true });
  const session = await site.session();
  await session.next("check-in");
  await session.next("check-in");
  session.send(offerOf("other-task", "round-1"));
  const { roundId, updateDigest } = await session.next("ready");
  const uploadPath = `/v1/rounds/${roundId}/updates/${updateDigest}`;
  session.send({ type: "request-report", roundId, deadlineMs: Date.now() + 10_000, uploadPath });
  // Nobody knows this round: exactly one answer to it, and it is the first decline that is heard.
  session.send({ type: "request-report", roundId: "lost" as never, deadlineMs: 1, uploadPath: "/" });
  expect(await session.next("decline")).toEqual({
    type: "decline",
    roundId: "lost",
    code: "federation/update-lost",
  });
  // One thing at a time.
  session.send(offerOf("digits-task", "round-2"));
  expect(await session.next("decline")).toEqual({
    type: "decline",
    roundId: "round-2",
    code: "federation/busy",
  });
  session.send({ type: "outcome", roundId, result: "committed", version: 2 as never });
  session.send(offerOf("digits-task", "round-3"));
  session.send({ type: "request-report", roundId: "lost-2" as never, deadlineMs: 1, uploadPath: "/" });
  expect(await session.next("decline")).toMatchObject({ roundId: "lost-2" });
});

test("close does not wait for a plan that never comes", async () => {
  await site.repository.releasePlan();
  const plan = site.repository.targets.get("models/digits/plans/digits-task/1.json")!.sha256;
  const asked = Promise.withResolvers<void>();
  site.options = {
    intercept(request) {
      if (request.url !== `/v1/blobs/${plan}`) return false;
      asked.resolve();
      return true;
    },
  };
  const runtime = await start();
  await runtime.model("digits");
  runtime.participate({ consent: true });
  await asked.promise;
  const begun = performance.now();
  await runtime.close();
  expect(performance.now() - begun).toBeLessThan(2000);
});

test("versions that nobody applies are not kept for ever", async () => {
  const runtime = await start();
  const digits = await runtime.model("digits", { update: "manual" });
  const session = await site.session();
  await session.next("subscribe");
  for (let version = 2; version <= 6; version++) {
    const arrived = until(runtime.events(), "update-available");
    await push(session, version);
    await arrived;
  }
  await expect.poll(async () => (await readdir(join(dataDir, "blobs"))).length).toBe(3); // graph, running, waiting
  expect(digits.state).toMatchObject({ version: 1, available: 6 });
});

test("updates() begins with the version that waits already", async () => {
  const runtime = await start();
  const digits = await runtime.model("digits", { update: "manual" });
  const session = await site.session();
  await session.next("subscribe");
  const arrived = until(runtime.events(), "update-available");
  await push(session, 2);
  await arrived;
  for await (const update of digits.updates()) {
    expect(update).toMatchObject({ version: 2, previousVersion: 1, applied: false });
    expect(await update.apply()).toMatchObject({ version: 2 });
    break;
  }
});

test("why a participation did not begin is told", async () => {
  const runtime = await createRuntime({
    coordinator: site.url,
    trust: { root: site.repository.root },
    dataDir,
  });
  runtimes.push(runtime);
  const problem = until(runtime.events(), "problem");
  const participation = runtime.participate({ consent: true });
  expect(await problem).toMatchObject({ code: "runtime/participation-unavailable" });
  await expect.poll(() => participation.state).toBe("stopped");
});

test("an engine that cannot start does not cost the installed version", async () => {
  const first = await start();
  await first.model("digits");
  await first.close();
  await site.close();
  const broken: Engine = {
    name: "ort-node",
    load: async () => Promise.reject(failure("engine/load-failed", "no memory at the moment")),
    close: async () => undefined,
  };
  const unlucky = await start({ engine: broken });
  await expect(unlucky.model("digits")).rejects.toThrow();
  await unlucky.close();
  const offline = await start();
  expect((await offline.model("digits")).version).toBe(1);
});

test("what another root vouched for is not started", async () => {
  const first = await start();
  await first.model("digits");
  await first.close();
  await site.close();
  const foreign = await startSite();
  try {
    const offline = await start({ trust: { root: foreign.repository.root } });
    await expect(offline.model("digits")).rejects.toMatchObject({ code: "runtime/offline" });
  } finally {
    await foreign.close();
  }
});

test("an opening that was given up does not take the next one away", async () => {
  const engine = await createOrtNodeEngine();
  const load = Promise.withResolvers<void>();
  const loading = Promise.withResolvers<void>();
  let first = true;
  const slow: Engine = {
    name: engine.name,
    async load(model, options) {
      if (!first) return await engine.load(model, options);
      first = false;
      loading.resolve();
      await load.promise;
      return Promise.reject(failure("engine/load-failed", "the first one fails late"));
    },
    close: () => engine.close(),
  };
  const runtime = await start({ engine: slow });
  const controller = new AbortController();
  const givenUp = runtime.model("digits", { signal: controller.signal });
  await loading.promise;
  controller.abort(new Error("enough"));
  await expect(givenUp).rejects.toThrow("enough");
  const again = runtime.model("digits");
  load.resolve();
  // Both share the session under way; that one fails, and the next is its own.
  const digits = await again.catch(() => runtime.model("digits"));
  expect((await digits.run({ image })).version).toBe(1);
  await runtime.close();
  await engine.close();
});
