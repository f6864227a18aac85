import { silentLogger } from "@tributary/core";
import { createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import type { Tensor } from "@tributary/tensor";
import { expose } from "comlink";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Device, RunFeeds } from "../../src/device.ts";
import type { Inference, ModelState } from "../../src/runtime.ts";
import { TRUST_DEFAULTS } from "../../src/trust-limits.ts";
import { createDeviceHost } from "../../src/worker/device-host.ts";
import type { MemoryBudget } from "../../src/worker/recycling.ts";
import type { RunEndpoint } from "../../src/worker/run-messages.ts";
import { createRemoteDevice } from "../../src/worker/remote-device.ts";

/** What each worker's device does with a run, in the order of the workers. */
type Run = (model: string, feeds: RunFeeds) => Promise<Inference>;

const answer = (version: number): Inference => ({
  version,
  outputs: {},
  probabilities: new Float32Array(0),
  classes: [],
  top: [],
  durationMs: 1,
});
const hangs: Run = () => new Promise(() => {});
const opening = { model: "digits", channel: "stable", update: "auto" } as const;
const feeds = () => ({ x: { dtype: "float32", shape: [1], data: Float32Array.of(1) } as const });

let clock: VirtualClock;
let spawned: number;
let opened: number[];
let ended: number;
let heapBytes: number;
let device: Device;

beforeEach(() => {
  clock = createVirtualClock();
  [spawned, ended, heapBytes] = [0, 0, 0];
  opened = [];
});
afterEach(async () => {
  await device.close();
});

/** Workers in this thread, across a real message channel. */
function open(runs: readonly Run[], budget: MemoryBudget = { maxHeapBytes: 1e9, maxRuns: Infinity }): Device {
  device = createRemoteDevice({
    spawn() {
      const number = spawned++;
      const { port1, port2 } = new MessageChannel();
      const scripted = {
        openModel: async () => {
          opened.push(number);
          return { model: "digits", version: 1 } as ModelState;
        },
        run: (model, given) => (runs[number] ?? runs.at(-1)!)(model, given),
        diagnose: async () => ({
          engines: { available: [], fingerprint: "", gpuLosses: 0 },
          models: [],
          storage: { kind: "memory", blobBytes: 0, partialBytes: 0 },
        }),
        subscribe: () => () => {},
        close: async () => {},
      } satisfies Partial<Device>;
      expose(
        createDeviceHost(
          async () => ({
            device: scripted as unknown as Device,
            heapBytes: () => heapBytes,
          }),
          port2 as unknown as RunEndpoint,
        ),
        port2 as never,
      );
      port1.start();
      return Object.assign(port1, {
        terminate() {
          ended += 1;
          port1.close();
          port2.close();
        },
      }) as unknown as Worker;
    },
    start: {
      config: {
        source: { coordinator: "http://127.0.0.1:1", releases: "http://127.0.0.1:1/v1/" },
        population: "default",
        software: "test",
        limits: TRUST_DEFAULTS,
        tags: [],
      },
      enrols: false,
      database: "none",
      lifeLock: "life",
      leaderLock: "train",
      engine: {},
      logToConsole: false,
    },
    token: async () => "",
    // Held for ever: these workers do not die, they hang.
    locks: { request: () => new Promise(() => {}) } as unknown as LockManager,
    clock,
    log: silentLogger,
    budget,
  });
  return device;
}

/** Messages that are on their way arrive. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a worker that is stuck", () => {
  test("is replaced with its models open, and the call is made again", async () => {
    open([hangs, async () => answer(2)]);
    await device.openModel(opening);
    const running = device.run("digits", feeds());
    await settle();
    clock.advance(10_000);
    expect((await running).version).toBe(2);
    expect([spawned, ended, opened]).toEqual([2, 1, [0, 1]]);
    expect((await device.diagnose()).worker).toEqual({ replaced: 1, recycled: 0 });
  });

  test("takes a call with it that hangs the next one too, or whose memory was given away", async () => {
    open([hangs]);
    await device.openModel(opening);
    const again = device.run("digits", feeds()).catch((error: unknown) => error);
    await settle();
    const given = device.run("digits", feeds(), { transfer: true }).catch((error: unknown) => error);
    await settle();
    clock.advance(10_000);
    expect(await given).toMatchObject({ code: "runtime/worker-lost", retryable: true });
    await settle();
    expect(spawned).toBe(2);
    clock.advance(10_000);
    expect(await again).toMatchObject({ code: "runtime/worker-lost" });
  });
});

describe("large feeds", () => {
  const large = (value: number) =>
    ({ x: { dtype: "float32", shape: [1, 8192], data: new Float32Array(8192).fill(value) } }) as const;
  const first: Run = async (_model, { x }) => answer((x as Tensor).data[0] as number);

  test("are the app's again as soon as it has called", async () => {
    open([first]);
    await device.openModel(opening);
    const calls = Array.from({ length: 40 }, (_, i) => {
      const given = large(i);
      const call = device.run("digits", given);
      given.x.data.fill(-1);
      return call;
    });
    const versions = (await Promise.all(calls)).map(({ version }) => version);
    expect(versions).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test("are sent again as they were, where a worker is lost", async () => {
    const seen: number[] = [];
    open([
      async (model, given) => {
        seen.push((await first(model, given)).version);
        return await hangs(model, given);
      },
      first,
    ]);
    await device.openModel(opening);
    const given = large(7);
    const running = device.run("digits", given);
    given.x.data.fill(-1);
    await settle();
    clock.advance(10_000);
    expect([seen, (await running).version]).toEqual([[7], 7]);
  });

  test("of a call that was cancelled are not written to while its run reads them", async () => {
    const kept: Float32Array[] = [];
    open([
      async (model, given) => {
        kept.push((given.x as Tensor).data as Float32Array);
        return kept.length === 1 ? await hangs(model, given) : await first(model, given);
      },
    ]);
    await device.openModel(opening);
    const leaving = new AbortController();
    const left = device.run("digits", large(1), { signal: leaving.signal }).catch(() => "left");
    await settle();
    leaving.abort();
    expect(await left).toBe("left");
    for (let i = 2; i < 6; i++) expect((await device.run("digits", large(i))).version).toBe(i);
    expect(kept[0]![0]).toBe(1);
  });
});

describe("a worker that has used much", () => {
  test("is replaced between two calls: none is lost", async () => {
    open([async () => answer(1), async () => answer(2)], { maxHeapBytes: 1000, maxRuns: Infinity });
    await device.openModel(opening);
    for (let i = 0; i < 30; i++) expect((await device.run("digits", feeds())).version).toBe(1);
    heapBytes = 2000;
    const last = device.run("digits", feeds());
    const together = Array.from({ length: 5 }, () => device.run("digits", feeds()));
    expect((await last).version).toBe(1);
    heapBytes = 0;
    await settle();
    expect((await device.run("digits", feeds())).version).toBe(2);
    expect((await Promise.all(together)).map(({ version }) => version)).toEqual([1, 1, 1, 1, 1]);
    expect([spawned, ended, opened]).toEqual([2, 1, [0, 1]]);
    expect((await device.diagnose()).worker).toEqual({ replaced: 0, recycled: 1 });
  });

  test("is replaced after so many runs, again and again, under calls that go on", async () => {
    open([async () => answer(1)], { maxHeapBytes: 1e9, maxRuns: 10 });
    await device.openModel(opening);
    for (let i = 0; i < 45; i++) await device.run("digits", feeds());
    await settle();
    expect((await device.diagnose()).worker).toEqual({ replaced: 0, recycled: 4 });
  });
});
