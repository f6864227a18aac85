import { silentLogger } from "@tributary/core";
import { createInsecureTestRandom, createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import { healthMetrics, readMetrics } from "@tributary/metrics";
import type { HealthReport } from "@tributary/protocol";
import { beforeEach, expect, test } from "vitest";
import { createDeviceHealth, type DeviceHealthPart } from "../../src/health/device-health.ts";
import { healthInterval } from "../../src/health/health-setting.ts";
import type { ModelState } from "../../src/runtime.ts";
import { createMemoryStore } from "../../src/testing/memory-store.ts";

// Which version a device blames for an end that nobody asked for.

const INTERVAL_MS = 60_000;

let store: ReturnType<typeof createMemoryStore>;
let clock: VirtualClock;
let reports: HealthReport[];

beforeEach(() => {
  [store, clock, reports] = [createMemoryStore(), createVirtualClock(), []];
});

/** What lives until the process ends, however it does. */
const begin = (endsCleanly = true, intervalMs = INTERVAL_MS): Promise<DeviceHealthPart> =>
  createDeviceHealth({
    env: { clock, random: createInsecureTestRandom("health"), log: silentLogger },
    settings: store.settings,
    identity: {
      certificate: async () => new Uint8Array(1),
      sign: async () => new Uint8Array(64),
    },
    http: { tellHealth: async ({ report }) => void reports.push(report) },
    population: "default",
    intervalMs,
    endsCleanly,
    closing: new AbortController().signal,
  });

const stateOf = (version: number, model = "digits"): ModelState =>
  ({ model, version, engine: "ort-node" }) as never;
const ranOf = (version: number) => ({ model: "digits", version, engine: "ort-node" }) as never;

/** Crashes that were told, by version. */
async function told(): Promise<Readonly<Record<string, number>>> {
  for (let i = 0; i < 4; i++) {
    clock.advance(INTERVAL_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return Object.fromEntries(
    reports.flatMap(({ model, version, counts }) => {
      const { crashes } = readMetrics(healthMetrics, Float64Array.from(counts)).counters;
      return crashes === 0 ? [] : [[`${model} ${version}`, crashes]];
    }),
  );
}

test("what ran when the process ended unasked had crashed, and is told once its model runs again", async () => {
  await (await begin()).running(stateOf(1), false);
  const next = await begin();
  expect(await told()).toEqual({});
  await next.running(stateOf(1), false);
  // Each start that follows is another's.
  await next.running(stateOf(2), false);
  expect(await told()).toEqual({ "digits 1": 1 });
});

test("an end that was asked for blames nobody, nor does that of a tab", async () => {
  const first = await begin();
  await first.running(stateOf(1), false);
  await first.close();
  await (await begin()).running(stateOf(1), false);
  const tab = await begin(false);
  await tab.running(stateOf(1), false);
  await (await begin(false)).running(stateOf(1), false);
  expect(await told()).toEqual({});
});

test("a version on trial is blamed in the place of the one that ran beside it", async () => {
  await (await begin()).running(stateOf(1), false);
  const next = await begin();
  next.died(ranOf(2));
  await next.running(stateOf(1), false);
  expect(await told()).toEqual({ "digits 2": 1 });
});

test("each model blames its own, and a lost worker the version that it ran", async () => {
  const first = await begin();
  await first.running(stateOf(1), false);
  await first.running(stateOf(7, "texts"), false);
  const next = await begin();
  next.died(ranOf(2));
  await next.running(stateOf(1), false);
  await next.running(stateOf(7, "texts"), false);
  // It is known already whose doing that was.
  next.crashed(stateOf(1));
  next.crashed(stateOf(1));
  expect(await told()).toEqual({ "digits 2": 1, "texts 7": 1, "digits 1": 1 });
});

test("the first report is not later than one interval after what it tells of", async () => {
  const health = await begin();
  health.ran(stateOf(1), { durationMs: 5 });
  clock.advance(10_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(reports).toHaveLength(1);
  const often = await begin(true, 1_000);
  often.ran(stateOf(2), { durationMs: 5 });
  clock.advance(1_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(reports.map(({ version }) => version)).toEqual([1, 2]);
});

test("how often a device tells is from a second to a week", () => {
  expect([healthInterval(), healthInterval(true)]).toEqual([undefined, 3_600_000]);
  expect(healthInterval({ intervalMs: 1_000 })).toBe(1_000);
  for (const intervalMs of [999, 604_800_001, Number.NaN])
    expect(() => healthInterval({ intervalMs })).toThrow(RangeError);
});
