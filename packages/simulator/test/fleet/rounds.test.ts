import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildDigitsCnn } from "@tributary/onnx";
import { createFleet, heldOutDigits, type Fleet, type FleetEvent } from "@tributary/simulator";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test } from "vitest";
// A test may use the coordinator; the package must not.
import { createCoordinator, type Coordinator } from "../../../../coordinator/src/index.ts";

let dataDir: string;
let coordinator: Coordinator;
let fleet: Fleet | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-rounds-"));
  coordinator = await createCoordinator({
    host: "127.0.0.1",
    port: 0,
    dataDir: join(dataDir, "coordinator"),
    logLevel: "error",
  });
});
afterEach(async () => {
  await fleet?.close();
  await coordinator.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: Uint8Array<ArrayBuffer> | object): Promise<unknown> {
  const bytes = body instanceof Uint8Array;
  const response = await fetch(coordinator.url + path, {
    method,
    headers: {
      Authorization: `Bearer ${coordinator.operatorToken}`,
      ...(body === undefined
        ? {}
        : { "Content-Type": bytes ? "application/octet-stream" : "application/json" }),
    },
    ...(body === undefined ? {} : { body: bytes ? body : JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer;
}

const digitsTask = (changes: object = {}): object => ({
  name: "digits",
  model: "digits",
  population: "default",
  rounds: 3,
  local: { epochs: 1, batchSize: 16, learningRate: 0.1, maxExamples: 600 },
  cohort: {
    goalCount: 3,
    minimumCount: 2,
    overSelection: 1.5,
    trainDeadlineMs: 10_000,
    reportDeadlineMs: 5_000,
  },
  pauseBetweenRoundsMs: 0,
  evaluation: { dataset: null, batchSize: 100 },
  maxUpdateNorm: 100,
  // Four devices hide nothing in a sum.
  secureAggregation: { mode: "off" },
  ...changes,
});

async function startFleet(onEvent: (event: FleetEvent) => void): Promise<Fleet> {
  fleet = await createFleet({
    coordinator: coordinator.url,
    trustedRoot: coordinator.tufRoot,
    mintToken: () => coordinator.mintEnrolmentToken("default" as never),
    dataDir: join(dataDir, "fleet"),
    devices: 4,
    threads: 2,
    examples: { min: 60, max: 120 },
    onEvent,
  });
  return fleet;
}

test("four devices take part in real rounds, and run each version that comes of them", async () => {
  await call("POST", "/v1/models/digits/versions", buildDigitsCnn({ seed: "digits" }));
  const { images, labels } = heldOutDigits({ seed: "test", count: 200 });
  const heldOut = writeSafetensors(
    Object.entries({
      images: tensor("uint8", [200, 1, 28, 28], images),
      labels: tensor("int32", [200], Int32Array.from(labels)),
    }),
  );
  const { digest } = (await call("POST", "/v1/blobs", heldOut)) as { digest: string };
  const events: FleetEvent[] = [];
  const thirdCommit = Promise.withResolvers<void>();
  const running = await startFleet((event) => {
    events.push(event);
    if (fleet?.status.versions?.min === 4) thirdCommit.resolve();
  });
  await call("POST", "/v1/tasks", digitsTask({ evaluation: { dataset: digest, batchSize: 100 } }));
  await thirdCommit.promise;
  const { rounds } = (await call("GET", "/v1/tasks/digits/rounds")) as { rounds: Record<string, unknown>[] };
  const committed = rounds.filter(({ phase }) => phase === "committed");
  expect(committed.length).toBe(3);
  for (const round of committed) {
    expect(round).toMatchObject({ refused: 0 });
    expect(round["reported"]).toBeGreaterThanOrEqual(2);
    expect(round["trainLoss"]).toBeGreaterThan(0);
  }
  expect(running.status.versions).toEqual({ min: 4, max: 4 });
  const pushed = events.flatMap(({ event }) =>
    event.type === "running" && event.appliedAfterMs !== null ? [event.appliedAfterMs] : [],
  );
  expect(pushed.length).toBeGreaterThan(0);
  const problems = events.flatMap(({ event }) => (event.type === "problem" ? [event] : []));
  expect(problems).toEqual([]);
});

test("devices that were there before the task take part once it exists", async () => {
  await call("POST", "/v1/models/digits/versions", buildDigitsCnn({ seed: "digits" }));
  const refused = Promise.withResolvers<void>();
  const committed = Promise.withResolvers<void>();
  const seen = new Set<number>();
  const running = await startFleet(({ device, event }) => {
    if (event.type === "participation" && event.event.type === "checked-in") seen.add(device);
    if (seen.size === 4) refused.resolve();
    if (event.type === "running" && event.version === 2) committed.resolve();
  });
  await running.started;
  await refused.promise;
  await call("POST", "/v1/tasks", digitsTask({ rounds: 1 }));
  await committed.promise;
});

test("the coordinator goes away in the middle of a round and comes back: the same devices go on by themselves", async () => {
  await call("POST", "/v1/models/digits/versions", buildDigitsCnn({ seed: "digits" }));
  const reached = new Map<number, PromiseWithResolvers<void>>();
  const version = (wanted: number): Promise<void> => {
    reached.set(wanted, Promise.withResolvers());
    return reached.get(wanted)!.promise;
  };
  const uploaded = Promise.withResolvers<void>();
  const ids = new Set<string>();
  const second = version(2);
  await startFleet(({ event }) => {
    if (event.type === "enrolled") ids.add(event.deviceId);
    if (event.type === "running") reached.get(event.version)?.resolve();
    if (event.type === "participation" && event.event.type === "trained") uploaded.resolve();
  });
  await call("POST", "/v1/tasks", digitsTask({ rounds: 20, pauseBetweenRoundsMs: 200 }));
  await second;
  await uploaded.promise;
  const { port } = coordinator;
  await coordinator.close();
  coordinator = await createCoordinator({
    host: "127.0.0.1",
    port,
    dataDir: join(dataDir, "coordinator"),
    logLevel: "error",
  });
  const { currentVersion } = (await call("GET", "/v1/models/digits")) as { currentVersion: number };
  await version(currentVersion + 2);
  expect(ids.size).toBe(4);
  expect(fleet!.status.connected).toBeGreaterThanOrEqual(3);
});
