import { silentLogger } from "@tributary/core";
import { createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import { expose } from "comlink";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import type { Inference, ModelState } from "../../src/runtime.ts";
import { TRUST_DEFAULTS } from "../../src/trust-limits.ts";
import { createDeviceHost } from "../../src/worker/device-host.ts";
import type { MemoryBudget } from "../../src/worker/recycling.ts";
import type { RunEndpoint } from "../../src/worker/run-messages.ts";
import { createRemoteDevice } from "../../src/worker/remote-device.ts";

/** What each worker's device does with a run, in the order of the workers. */
type Run = () => Promise<Inference>;

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
let crashes: number[];
let ended: number;
let heapBytes: number;
let device: Device;

beforeEach(() => {
  clock = createVirtualClock();
  [spawned, ended, heapBytes] = [0, 0, 0];
  opened = [];
  crashes = [];
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
        noteCrash: async () => {
          crashes.push(number);
        },
        run: () => (runs[number] ?? runs.at(-1)!)(),
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
        healthIntervalMs: 3_600_000,
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
    // The second worker hears of the first one's end, for those who count.
    expect(crashes).toEqual([1]);
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
