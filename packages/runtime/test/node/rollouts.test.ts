import { cp, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Engine, Session } from "@tributary/engine";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { encodeUtf8 } from "@tributary/core";
import { rolloutDevice, rolloutPath, withdrawnPath } from "@tributary/protocol";
import { createRuntime, type NodeRuntimeOptions } from "@tributary/runtime/node";
import type { ModelHandle, Runtime, RuntimeEvent } from "@tributary/runtime";
import { describe, expect, test } from "vitest";
import { nodeRoom, type NodeRoom } from "../fixtures/node-room.ts";
import type { Site } from "../fixtures/site.ts";

// What a device runs of a model while documents beside its channel say more than the channel does.

const image = new Uint8Array(784).fill(9);

let dataDir: string;
let site: Site;
let events: RuntimeEvent[];
let begin: NodeRoom["start"];
let runtimes: Runtime[];
nodeRoom((room) => ({ dataDir, site, runtimes, start: begin } = room));

async function start(options: Partial<NodeRuntimeOptions> = {}): Promise<Runtime> {
  const runtime = await begin(options);
  events = [];
  const all = runtime.events();
  void (async () => {
    for await (const event of all) events.push(event);
  })();
  return runtime;
}

const away = (): void => {
  site.options = {
    intercept: (request) => (request.socket.destroy(), true),
  };
};
const int8Of = (version: number): string =>
  site.repository.targets.get(`models/digits/versions/${version}/weights.int8.safetensors`)!.sha256;
/** Blobs of the model that were asked for since. */
const weightsAsked = (versions: readonly number[]): readonly number[] =>
  versions.filter((version) => site.requests.join("\n").includes(int8Of(version)));
const blobsHere = async (): Promise<readonly string[]> => await readdir(join(dataDir, "blobs"));
const logits = async (digits: ModelHandle): Promise<readonly number[]> =>
  Array.from((await digits.run({ image })).outputs["logits"]!.data as Float32Array);
const spring = (share = 10_000) => ({
  rollout: "spring",
  control: 1 as never,
  arms: [{ name: "treated", version: 2 }],
  shares: [{ tags: [], share }],
});
async function eventually(check: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("while a rollout goes on", () => {
  test("a device of an arm runs its version, keeps the one before, and goes back without a download", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits");
    const before = await logits(digits);
    await site.repository.releaseRollout(spring());
    expect((await digits.refresh()).version).toBe(2);
    expect(await logits(digits)).not.toEqual(before);
    const { models } = await runtime.diagnose();
    expect(models[0]).toMatchObject({
      version: 2,
      rollout: { rollout: "spring", control: 1, arm: "treated" },
      kept: { version: 1 },
    });
    expect(await blobsHere()).toContain(int8Of(1));

    await site.repository.endRollout([2]);
    site.requests.length = 0;
    expect((await digits.refresh()).version).toBe(1);
    expect(await logits(digits)).toEqual(before);
    // The document alone.
    expect(site.requests.filter((each) => each.includes("/blobs/"))).toHaveLength(1);
    expect((await runtime.diagnose()).models[0]).not.toHaveProperty("rollout");
    await eventually(async () => !(await blobsHere()).includes(int8Of(2)));
    expect((await runtime.diagnose()).models[0]).not.toHaveProperty("kept");
  });

  test("the others stay where they are, and load nothing of it", async () => {
    const digits = await (await start()).model("digits");
    await site.repository.releaseRollout(spring(0));
    expect((await digits.refresh()).version).toBe(1);
    expect((await runtimes[0]!.diagnose()).models[0]!.rollout).toEqual({ rollout: "spring", control: 1 });
    expect(weightsAsked([1, 2])).toEqual([1]);
  });

  test("a version that is promoted stays, and the one before is let go", async () => {
    const digits = await (await start()).model("digits");
    await site.repository.releaseRollout(spring());
    await digits.refresh();
    await digits.run({ image });
    await site.repository.release(2);
    await site.repository.endRollout();
    site.requests.length = 0;
    expect((await digits.refresh()).version).toBe(2);
    expect(weightsAsked([1, 2])).toEqual([]);
    await eventually(async () => !(await blobsHere()).includes(int8Of(1)));
    // Also at the next start.
    await runtimes.pop()!.close();
    expect((await (await start()).model("digits")).version).toBe(2);
  });

  test("who is in it by tag or by name stays in it over a start, whatever the share", async () => {
    const shares = [
      { tags: ["kiosk"], share: 10_000 },
      { tags: [], share: 0 },
    ];
    await site.repository.releaseRollout({ ...spring(), shares });
    const tagged = await (await start({ tags: ["kiosk"] })).model("digits");
    expect(tagged.version).toBe(2);
    const { deviceId } = await site.session();
    await runtimes.pop()!.close();
    await site.repository.releaseRollout({
      ...spring(0),
      rollout: "summer",
      devices: [await rolloutDevice("summer", deviceId)],
    });
    const named = await (await start()).model("digits");
    await named.refresh();
    expect(named.version).toBe(2);
    expect((await runtimes[0]!.diagnose()).models[0]!.rollout).toMatchObject({ rollout: "summer" });
  });

  test("an app that applies updates itself is offered the arm, and not asked when it is taken back", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits", { update: "manual" });
    await site.repository.releaseRollout(spring());
    expect(await digits.refresh()).toMatchObject({ version: 1, available: 2 });
    for await (const update of digits.updates()) {
      expect((await update.apply()).version).toBe(2);
      break;
    }
    await site.repository.endRollout([2]);
    expect((await digits.refresh()).version).toBe(1);
    expect((await digits.run({ image })).version).toBe(1);
  });

  test("documents that cannot be followed change nothing, and are told", async () => {
    const digits = await (await start()).model("digits");
    await site.repository.releaseRollout(spring());
    await site.repository.releaseFile(rolloutPath("digits", "stable"), encodeUtf8('{"formatVersion":2}'));
    await expect(digits.refresh()).rejects.toMatchObject({ code: "protocol/invalid-document" });
    expect((await digits.run({ image })).version).toBe(1);
    // Who runs nothing yet runs what the channel points to.
    const second = await start({ dataDir: join(dataDir, "second") });
    expect((await second.model("digits")).version).toBe(1);
    // Of what is withdrawn nobody may guess.
    await site.repository.releaseFile(withdrawnPath("digits"), encodeUtf8("{}"));
    const third = await start({ dataDir: join(dataDir, "third") });
    await expect(third.model("digits")).rejects.toMatchObject({ code: "protocol/invalid-document" });
  });
});

describe("a version that is withdrawn", () => {
  test("answers nothing where there is no other, also at a start without network, until there is one", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits", { update: "manual" });
    await site.repository.endRollout([1]);
    await expect(digits.refresh()).rejects.toMatchObject({ code: "runtime/version-withdrawn" });
    await expect(digits.run({ image })).rejects.toMatchObject({
      code: "runtime/version-withdrawn",
      detail: { version: 1, reason: "worse" },
    });
    expect((await runtime.diagnose()).models[0]!.withdrawn).toMatchObject({ version: 1 });
    await runtimes.pop()!.close();

    away();
    const offline = await start();
    await expect(offline.model("digits")).rejects.toMatchObject({ code: "runtime/version-withdrawn" });
    await runtimes.pop()!.close();
    site.options = {};
    await expect((await start()).model("digits")).rejects.toMatchObject({
      code: "runtime/version-withdrawn",
    });
    await site.repository.release(2);
    expect((await runtimes[0]!.model("digits")).version).toBe(2);
  });

  test("gives way to what the channel points to; calls made meanwhile wait for it", async () => {
    const digits = await (await start()).model("digits", { update: "manual" });
    await site.repository.release(2);
    await site.repository.endRollout([1]);
    const refreshed = digits.refresh();
    await eventually(() => weightsAsked([2]).length === 1);
    const [{ version }, state] = await Promise.all([digits.run({ image }), refreshed]);
    expect([version, state.version]).toEqual([2, 2]);
  });
});

describe("a version that needs a newer runtime", () => {
  test("stays outside, is told once, and is not downloaded", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits");
    const session = await site.session();
    await session.next("subscribe");
    await site.repository.release(2, undefined, { requires: { runtime: "99.0.0" } });
    await expect(digits.refresh()).rejects.toMatchObject({
      code: "runtime/too-old",
      detail: { needed: "99.0.0" },
    });
    expect(await session.next("refused-version")).toMatchObject({ version: 2, code: "runtime/too-old" });
    expect((await digits.refresh()).version).toBe(1);
    expect(weightsAsked([1, 2])).toEqual([1]);
    expect((await runtime.diagnose()).models[0]!.refused).toMatchObject({
      version: 2,
      code: "runtime/too-old",
    });
    await site.repository.release(3, undefined, { requires: { runtime: "0.1.0" } });
    expect((await digits.refresh()).version).toBe(3);
  });
});

describe("a version that ends the process", () => {
  /** Of the models that are loaded, this one and those after it never come to an end: what a process that dies looks like from the disk. */
  async function deadly(from: "load" | "run", first: number): Promise<Engine & { reached: Promise<void> }> {
    const native = await createOrtNodeEngine();
    const { promise: reached, resolve } = Promise.withResolvers<void>();
    let loads = 0;
    const never = (): Promise<never> => (resolve(), new Promise(() => {}));
    return {
      ...native,
      reached,
      async load(model, options) {
        loads += 1;
        if (loads >= first && from === "load") return await never();
        const session = await native.load(model, options);
        const isDeadly = loads >= first;
        return {
          ...session,
          run: (feeds, runOptions) => (isDeadly ? never() : session.run(feeds, runOptions)),
          [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
        } satisfies Session;
      },
    };
  }

  /** A device on what is left of one that died, which dies too. */
  async function dies(from: string, to: string, at: "load" | "run", first = 2): Promise<void> {
    const engine = await deadly(at, first);
    const runtime = await createRuntime({
      coordinator: site.url,
      trust: { root: site.repository.root },
      dataDir: from,
      engine,
    });
    const digits = await runtime.model("digits");
    const refreshing = digits.refresh();
    if (at === "run") {
      expect((await refreshing).version).toBe(2);
      void digits.run({ image }).catch(() => {});
    } else refreshing.catch(() => {});
    await engine.reached;
    await cp(from, to, { recursive: true, filter: (path) => !path.endsWith("lock") });
    void runtime.close();
  }

  const at = (name: string): string => join(dataDir, name);

  test("while it is opened is tried once more, and then refused", async () => {
    await (await start({ dataDir: at("a") })).model("digits");
    await site.session();
    await runtimes.pop()!.close();
    await site.repository.release(2);
    await dies(at("a"), at("b"), "load");
    await dies(at("b"), at("c"), "load");
    const runtime = await start({ dataDir: at("c") });
    const digits = await runtime.model("digits");
    await expect(digits.refresh()).resolves.toMatchObject({ version: 1 });
    const session = await site.session();
    expect(await session.next("refused-version")).toMatchObject({
      version: 2,
      code: "runtime/version-crashed",
    });
    expect((await digits.run({ image })).version).toBe(1);
    await site.repository.release(3);
    expect((await digits.refresh()).version).toBe(3);
  });

  test("at its first run gives its place back to the one before, which is still here", async () => {
    await (await start({ dataDir: at("a") })).model("digits");
    await runtimes.pop()!.close();
    await site.repository.release(2);
    await dies(at("a"), at("b"), "run");
    // Version 2 is installed by now: the first model that is loaded.
    await dies(at("b"), at("c"), "run", 1);

    away();
    site.requests.length = 0;
    const third = await start({ dataDir: at("c") });
    const back = await third.model("digits");
    expect((await back.run({ image })).version).toBe(1);
    expect((await third.diagnose()).models[0]!.refused).toMatchObject({
      version: 2,
      code: "runtime/version-crashed",
    });
  });
});
