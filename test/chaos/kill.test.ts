import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createApiClient, subscribeEvents } from "@tributary/api-client";
import { asPopulationName, asTaskName, seededRandom } from "@tributary/core";
import { openEnrolmentTokens } from "@tributary/coordinator";
import { buildDigitsCnn } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import { createFleet, heldOutDigits, labelledImagesFile, type Fleet } from "@tributary/simulator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCoordinator, temporaryFolder, type CoordinatorProcess } from "../src/coordinator-process.ts";
import { freePort } from "../src/free-port.ts";

const NAME = asTaskName("digits");
const DEVICES = 4;
const KILLS = process.env.TRIBUTARY_TEST_FULL === "1" ? 100 : 20;

/** SIGKILL at a seeded moment of a round, again and again, on one data directory with one fleet that is never restarted. */
describe("F: kill -9 of the coordinator at any moment of a round", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let coordinator: CoordinatorProcess;
  let fleet: Fleet;
  let port: number;
  const random = seededRandom("kill -9");

  const start = async (): Promise<void> => {
    coordinator = await startCoordinator({ dataDir: join(folder.path, "coordinator"), port });
  };

  beforeAll(async () => {
    folder = temporaryFolder();
    port = await freePort();
    await start();
    const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
    await api.publishModel(NAME, buildDigitsCnn({ seed: "kill" }));
    const { digest } = await api.uploadBlob(labelledImagesFile(heldOutDigits({ seed: "kill", count: 100 })));
    await api.createTask(
      parseTaskSpec({
        name: NAME,
        model: NAME,
        local: { epochs: 1, batchSize: 16, learningRate: 0.05, maxExamples: 64 },
        cohort: {
          goalCount: DEVICES,
          minimumCount: 2,
          overSelection: 1,
          trainDeadlineMs: 20_000,
          reportDeadlineMs: 5_000,
        },
        // With a state of its own, which has to be of the version the next round begins with.
        strategy: { name: "fedAdam", parameters: { learningRate: 0.005 } },
        evaluation: { dataset: digest, batchSize: 100 },
        // Secure cohorts are killed in a test of their own.
        secureAggregation: { mode: "off" },
      }),
    );
    const tokens = openEnrolmentTokens(coordinator.dataDir);
    fleet = await createFleet({
      coordinator: coordinator.url,
      trustedRoot: new Uint8Array(await (await fetch(`${coordinator.url}/v1/tuf/1.root.json`)).arrayBuffer()),
      mintToken: () => tokens.mint(asPopulationName("default")),
      dataDir: join(folder.path, "fleet"),
      devices: DEVICES,
      threads: 1,
      examples: { min: 64, max: 64 },
      model: NAME,
      task: NAME,
    });
    await fleet.started;
  });
  afterAll(async () => {
    await fleet?.close();
    await coordinator?.stop();
    folder.remove();
  });

  test(`survives ${KILLS} kills`, { timeout: 600_000 }, async () => {
    const seen = new Map<number, string>();
    const phases = new Map<string, number>();
    for (let kill = 0; kill < KILLS; kill++) {
      await nextCommit(coordinator.url);
      const before = await versions(coordinator.url);
      for (const { version, weightsDigest } of before) {
        expect(seen.get(version) ?? weightsDigest, `version ${version} changed`).toBe(weightsDigest);
        seen.set(version, weightsDigest);
      }
      await moment(random.next() * 1_200);
      const [last] = await createApiClient({ baseUrl: coordinator.url }).rounds(NAME, { limit: 1 });
      phases.set(last!.phase, (phases.get(last!.phase) ?? 0) + 1);
      await coordinator.kill();
      expectStateOfCurrentVersion(join(coordinator.dataDir, "tributary.db"));
      await start();
      const after = await versions(coordinator.url);
      // Nothing that was committed is gone, no number stands twice, and the last version's bytes are all there.
      expect(new Set(after.map(({ version }) => version)).size).toBe(after.length);
      const newest = after.reduce((a, b) => (a.version > b.version ? a : b));
      expect(newest.version).toBeGreaterThanOrEqual(Math.max(...before.map(({ version }) => version)));
      for (const { version, weightsDigest } of before) {
        expect(after.find((each) => each.version === version)?.weightsDigest).toBe(weightsDigest);
      }
      const blob = await fetch(`${coordinator.url}/v1/blobs/${newest.weightsDigest}`);
      expect(blob.status).toBe(200);
      expect((await blob.arrayBuffer()).byteLength).toBe(newest.sizeBytes);
    }
    await nextCommit(coordinator.url);
    console.log(`killed while ${Array.from(phases, ([phase, times]) => `${phase} ${times}x`).join(", ")}`);
    expect(phases.size).toBeGreaterThan(1);
  });
});

/** Looks into the database that the kill left, as the next coordinator will find it. */
function expectStateOfCurrentVersion(path: string): void {
  const db = new DatabaseSync(path);
  try {
    const row = db
      .prepare(
        `select optimizers.version, models.current_version as current
         from optimizers join tasks on tasks.name = optimizers.task join models on models.name = tasks.model`,
      )
      .get();
    expect(row?.["version"]).toBe(row?.["current"]);
    expect(row?.["version"]).toBeGreaterThan(1);
  } finally {
    db.close();
  }
}

function versions(url: string) {
  return createApiClient({ baseUrl: url }).versions(NAME);
}

/** Resolves when the next version is committed: the devices came back by themselves. */
function nextCommit(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const subscription = subscribeEvents(url, {
      onEvent: (event) => {
        if (event.type !== "version") return;
        clearTimeout(timer);
        subscription.close();
        resolve(event.data.version);
      },
    });
    const timer = setTimeout(() => {
      subscription.close();
      reject(new Error("no version was committed within a minute"));
    }, 60_000);
  });
}

/** The seeded moment of the kill: the one wait that is the test's subject. */
function moment(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
