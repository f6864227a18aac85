import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import type { ParticipationEvent, Runtime, RuntimeEvent } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";

const POPULATION = "default" as never;
const DEVICES = 3;
let folder: ReturnType<typeof temporaryFolder>;
let opened = new AsyncDisposableStack();

beforeEach(() => {
  opened = new AsyncDisposableStack();
  folder = temporaryFolder();
  opened.defer(() => folder.remove());
});
afterEach(() => opened.disposeAsync());

interface Device {
  readonly runtime: Runtime;
  readonly rounds: ParticipationEvent[];
  readonly events: RuntimeEvent[];
}

async function startDevice(coordinator: Coordinator, i: number): Promise<Device> {
  const runtime = await createRuntime({
    coordinator: coordinator.url,
    trust: { root: coordinator.tufRoot, minimumCohort: 3 },
    token: () => coordinator.mintEnrolmentToken(POPULATION),
    dataDir: join(folder.path, `device-${i}`),
  });
  opened.defer(() => runtime.close());
  const device: Device = { runtime, rounds: [], events: [] };
  void (async () => {
    for await (const event of runtime.events()) device.events.push(event);
  })();
  const model = await runtime.model("digits");
  await model.examples.addAll(
    Array.from({ length: 20 }, (_, n) => ({
      image: Float32Array.from({ length: 784 }, (_pixel, p) => ((p * 7 + n * 13 + i) % 29) / 29),
      label: (n + i) % 10,
    })),
  );
  const participation = runtime.participate({ consent: true, task: "digits" });
  void (async () => {
    for await (const event of participation.events()) device.rounds.push(event);
  })();
  return device;
}

/** Takes the last certificate out of the log. */
function cutLog(path: string): void {
  const database = new DatabaseSync(path);
  database.exec("delete from certificate_log where entry_index = 2");
  database.exec("delete from certificate_log_nodes where level = 0 and node_index = 2");
  database.close();
}

/** Makes the coordinator believe that it signed for the first certificate only: it will sign for the log as it is now. */
function forgetSignedHead(path: string): void {
  const database = new DatabaseSync(path);
  const newest = "role = 'timestamp' order by version desc limit 1";
  const { version, bytes } = database
    .prepare(`select version, bytes from tuf_metadata where ${newest}`)
    .get() as {
    version: number;
    bytes: Uint8Array;
  };
  const { hash } = database
    .prepare("select hash from certificate_log_nodes where level = 0 and node_index = 0")
    .get() as { hash: Uint8Array };
  const timestamp = JSON.parse(new TextDecoder().decode(bytes)) as { signed: { custom: object } };
  const rootHash = Buffer.from(hash).toString("hex");
  timestamp.signed.custom = { certificateLog: { treeSize: 1, rootHash } };
  database
    .prepare("update tuf_metadata set bytes = ? where role = 'timestamp' and version = ?")
    .run(new TextEncoder().encode(JSON.stringify(timestamp)), version);
  database.close();
}

test("a coordinator that takes a certificate out of the log is refused by every device that saw it there, and they stop", async () => {
  const dataDir = join(folder.path, "coordinator");
  let coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
  const { port } = coordinator;
  opened.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.createTask({
    name: "digits",
    model: "digits",
    rounds: 1,
    local: { epochs: 1, batchSize: 10, learningRate: 0.05, maxExamples: 60 },
    cohort: { goalCount: DEVICES, minimumCount: DEVICES, overSelection: 1, trainDeadlineMs: 30_000 },
    secureAggregation: { mode: "on", minimumCohort: DEVICES, phaseDeadlineMs: 10_000 },
  } as never);
  const devices: Device[] = [];
  for (let i = 0; i < DEVICES; i++) devices.push(await startDevice(coordinator, i));
  await vi.waitFor(
    async () => expect((await api.rounds("digits")).rounds[0]).toMatchObject({ phase: "committed" }),
    {
      timeout: 30_000,
    },
  );
  const { head, signed } = await api.certificateLog();
  expect(head).toMatchObject({ treeSize: DEVICES });
  expect(signed).toMatchObject(head);
  // What an app may send home.
  for (const { runtime } of devices) expect((await runtime.status()).certificateLog).toEqual(head);

  await coordinator.close();
  cutLog(join(dataDir, "tributary.db"));
  // An honest coordinator notices by itself.
  await expect(createCoordinator({ dataDir, port, logLevel: "silent" })).rejects.toMatchObject({
    code: "store/corrupt",
  });
  forgetSignedHead(join(dataDir, "tributary.db"));
  coordinator = await createCoordinator({ dataDir, port, logLevel: "silent" });
  await api.setTaskState("digits", { state: "running", moreRounds: 1 });
  for (const { runtime, rounds, events } of devices) {
    await vi.waitFor(
      () => {
        expect(rounds).toContainEqual(
          expect.objectContaining({ type: "failed", code: "identity/log-shrunk" }),
        );
        expect(rounds.at(-1)).toMatchObject({ type: "state", state: "stopped" });
      },
      { timeout: 20_000 },
    );
    expect(events).toContainEqual(expect.objectContaining({ type: "problem", code: "identity/log-shrunk" }));
    expect(await runtime.status()).toMatchObject({ participation: "stopped", certificateLog: head });
  }
  expect(await api.task("digits")).toMatchObject({ roundsCommitted: 1 });
});
