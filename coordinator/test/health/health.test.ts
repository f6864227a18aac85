import {
  asModelName,
  asPopulationName,
  encodeBase64url,
  failure,
  isErrorCode,
  systemRandom,
} from "@tributary/core";
import { createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import { createMetrics, healthMetrics } from "@tributary/metrics";
import { healthMessage, healthPath, PROOF_HEADER, type HealthReport } from "@tributary/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
// A test may use the runtime; the package must not.
import {
  createDeviceHealth,
  type DeviceHealthPart,
} from "../../../packages/runtime/src/health/device-health.ts";
import type { ModelState } from "../../../packages/runtime/src/runtime.ts";
import { createMemoryStore } from "../../../packages/runtime/src/testing/memory-store.ts";
import { resolveConfig } from "../../src/config.ts";
import { createEnrolment, type EnrolmentRoom } from "../../src/enrolment/enrolment.ts";
import { registerHealthRoutes } from "../../src/health/health-routes.ts";
import { createAccessPolicy } from "../../src/http/access-policy.ts";
import { createApp, type App } from "../../src/http/app.ts";
import { exampleModel, exampleVersion } from "../../src/testing/records.ts";
import { guardFor } from "../operator.ts";
import { enrolDevice, type TestIdentity } from "../device-socket.ts";
import { openRoom, type Room } from "../room.ts";

const DEFAULT = asPopulationName("default");
const DIGITS = asModelName("digits");
const HOUR = 3_600_000;
let room: Room;
let issuer: EnrolmentRoom;
let server: App;
let told: unknown[];

beforeEach(async () => {
  told = [];
  room = await openRoom();
  issuer = await createEnrolment(room);
  await room.store.models.insert(exampleModel());
  for (const version of [1, 2]) await room.store.versions.insert(exampleVersion(version));
  const config = resolveConfig({ dataDir: room.config.dataDir, logLevel: "silent" });
  const access = createAccessPolicy(config);
  ({ app: server } = await createApp({
    config,
    access,
    guard: guardFor({ anonymous: "viewer" }),
    version: "0",
  }));
  registerHealthRoutes(server, {
    env: room.env,
    store: room.store,
    registry: { model: async (name) => (await room.store.models.get(name))! },
    issuerPublicKey: issuer.issuerPublicKey,
    intervalMs: config.limits.healthIntervalMs,
    told: (device, { version, engine }) => told.push([device, version, engine]),
  });
  await server.ready();
});
afterEach(async () => {
  await server.close();
  await room.dispose();
});

async function put(identity: TestIdentity, report: object, signed = report, population = "default") {
  const answer = await server.inject({
    method: "PUT",
    url: healthPath(population),
    headers: {
      host: "localhost",
      authorization: `Tributary ${encodeBase64url(identity.certificate)}`,
      [PROOF_HEADER]: encodeBase64url(
        await identity.sign(healthMessage(identity.certificate, signed as HealthReport)),
      ),
    },
    payload: report,
  });
  return answer.statusCode === 204 ? "kept" : answer.json<{ code: string }>().code;
}

async function view() {
  const answer = await server.inject({ url: "/v1/models/digits/health", headers: { host: "localhost" } });
  return answer.json<{ versions: Record<string, unknown>[] }>().versions;
}

function reportOf(changes: Partial<Record<keyof HealthReport, unknown>> = {}): object {
  const counts = Array.from(createMetrics(healthMetrics));
  counts[0] = 4;
  return {
    formatVersion: 1,
    model: "digits",
    version: 1,
    engine: "ort-wasm",
    session: "ab".repeat(16),
    sequence: 1,
    counts,
    ...changes,
  };
}

test("a report counts once, by the key of an enrolled device alone, within its bounds", async () => {
  const mine = await enrolDevice(issuer, DEFAULT);
  expect(await put(mine, reportOf(), reportOf({ sequence: 2 }))).toBe("identity/invalid-proof");
  expect(await put(mine, reportOf(), reportOf(), "other")).toBe("identity/wrong-population");
  expect(await put(mine, reportOf({ version: 9 }))).toBe("coordinator/unknown-version");
  expect(await put(mine, reportOf({ counts: [1, 2] }))).toBe("update/invalid-metrics");
  for (const bad of [{ counts: [-1] }, { engine: "abacus" }, { session: "x" }, { formatVersion: 2 }])
    expect(await put(mine, reportOf(bad))).toBe("http/bad-request");
  expect([await view(), told]).toEqual([[], []]);

  expect(await put(mine, reportOf())).toBe("kept");
  expect(told).toEqual([[mine.deviceId, 1, "ort-wasm"]]);
  expect(await put(mine, reportOf())).toBe("kept");
  expect(await put(mine, reportOf({ sequence: 2 }))).toBe("http/too-many-requests");
  room.clock.advance(10_000);
  expect(await put(mine, reportOf({ sequence: 2 }))).toBe("kept");
  // Another tab of the same device.
  room.clock.advance(10_000);
  expect(await put(mine, reportOf({ session: "cd".repeat(16) }))).toBe("kept");
  room.clock.advance(10_000);
  expect(await put(mine, reportOf({ sequence: 1 }))).toBe("kept");
  expect(await view()).toMatchObject([{ version: 1, devices: 1, runs: 12, crashes: 0, errors: {} }]);
});

test("what devices count reaches the operator, version by version, also when a report is lost on its way", async () => {
  const clock = createVirtualClock();
  const [first, second] = [await device(clock), await device(clock)];
  first.health.ran(stateOf(1), { durationMs: 5 });
  first.health.ran(stateOf(1), { durationMs: 50 });
  first.health.failed(stateOf(1), failure("engine/run-failed", "no memory"));
  second.health.crashed(stateOf(1));
  await second.health.running(stateOf(2), true);
  await next(clock);
  expect(await view()).toMatchObject([
    { version: 2, devices: 1, runs: 0, selfCheckFailures: 1, latencyMs: { p50: null } },
    {
      version: 1,
      devices: 2,
      runs: 2,
      crashes: 1,
      crashedDevices: 1,
      errors: { "engine/run-failed": 1 },
      latencyMs: { counts: [0, 0, 1, 0, 1, 0, 0, 0, 0, 0] },
    },
  ]);
  // Kept, and its answer lost: told again, counted once.
  first.health.ran(stateOf(1), { durationMs: 5 });
  first.loseAnswers = true;
  await next(clock);
  first.loseAnswers = false;
  first.health.ran(stateOf(1), { durationMs: 5 });
  await next(clock);
  await next(clock);
  expect((await view())[1]).toMatchObject({ runs: 4 });
  // What nobody does is not told.
  const sent = first.sent.length;
  await next(clock);
  expect(first.sent.length).toBe(sent);
});

test("a process that ended without being asked to had crashed, one that was closed had not", async () => {
  const clock = createVirtualClock();
  const store = createMemoryStore();
  const before = await device(clock, store);
  await before.health.running(stateOf(1), false);
  // It dies here; the next start finds what ran.
  const after = await device(clock, store, before.identity);
  await after.health.running(stateOf(2), false);
  await next(clock);
  expect(await view()).toMatchObject([{ version: 1, crashes: 1, runs: 0 }]);
  await after.health.close();
  const third = await device(clock, store, before.identity);
  await next(clock);
  expect(third.sent).toEqual([]);
  expect(await store.settings.keys()).toEqual([]);
});

function stateOf(version: number): ModelState {
  return {
    model: DIGITS,
    channel: "stable",
    version,
    engine: "ort-node",
    variant: "int8-weights",
    inputs: [],
    outputs: [],
  };
}

/** The device's own part, whose requests go to the real route. */
async function device(clock: VirtualClock, store = createMemoryStore(), known?: TestIdentity) {
  const identity = known ?? (await enrolDevice(issuer, DEFAULT));
  const made = { identity, loseAnswers: false, sent: [] as HealthReport[] };
  const health: DeviceHealthPart = await createDeviceHealth({
    env: { ...room.env, clock, random: systemRandom },
    settings: store.settings,
    identity: { certificate: async () => identity.certificate, sign: identity.sign },
    http: {
      async tellHealth({ report }) {
        made.sent.push(report);
        const code = await put(identity, report);
        if (made.loseAnswers) throw failure("runtime/offline", "test: the answer is lost");
        if (isErrorCode(code)) throw failure(code, "test: refused");
      },
    },
    population: "default",
    intervalMs: HOUR,
    endsCleanly: true,
    closing: new AbortController().signal,
  });
  return Object.assign(made, { health });
}

/** Until all reports of the next hour have been answered. */
async function next(clock: VirtualClock): Promise<void> {
  const until = clock.monotonicMs() + HOUR;
  while (clock.nextInMs !== undefined && clock.monotonicMs() + clock.nextInMs <= until) {
    const [timers, at] = [clock.pendingTimers, clock.monotonicMs()];
    clock.advanceToNext();
    room.clock.advance(clock.monotonicMs() - at);
    // A device sets its next time when it has its answers.
    while (clock.pendingTimers < timers) await new Promise((resolve) => setImmediate(resolve));
  }
}
