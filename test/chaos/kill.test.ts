import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createApiClient, type VersionView } from "@tributary/api-client";
import { asPopulationName, asTaskName, seededRandom, type TaskName } from "@tributary/core";
import { openEnrolmentTokens } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import { createFleet, heldOutDigits, labelledImagesFile, type Fleet } from "@tributary/simulator";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startCoordinator, temporaryFolder, type CoordinatorProcess } from "../src/coordinator-process.ts";
import { freePort } from "../src/free-port.ts";

const FULL = process.env.TRIBUTARY_TEST_FULL === "1";
const TASKS = ["digits-a", "digits-b", "digits-c"].map(asTaskName);
const DEVICES = FULL ? 10 : 2;
const KILLS = FULL ? 200 : 2;
const PAUSE_MS = FULL ? 60_000 : 5_000;

/** SIGKILL at a seeded moment of three tasks' rounds, again and again, on one data directory with fleets that are never restarted. */
describe("a coordinator with three tasks", () => {
  const folder = temporaryFolder();
  const fleets: Fleet[] = [];
  const random = seededRandom("kill -9");
  let coordinator: CoordinatorProcess;
  let port: number;

  const start = async (): Promise<void> => {
    coordinator = await startCoordinator({ dataDir: join(folder.path, "coordinator"), port });
  };
  const api = () => createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });

  beforeAll(async () => {
    port = await freePort();
    await start();
    const { digest } = await api().uploadBlob(
      labelledImagesFile(heldOutDigits({ seed: "kill", count: 100 })),
    );
    const root = await (await fetch(`${coordinator.url}/v1/tuf/1.root.json`)).arrayBuffer();
    const tokens = openEnrolmentTokens(coordinator.dataDir);
    for (const name of TASKS) {
      await api().publishModel(name, buildLinear({ seed: name }));
      await api().createTask(
        parseTaskSpec({
          name,
          model: name,
          local: { epochs: 1, batchSize: 16, learningRate: 0.05, maxExamples: 64 },
          cohort: {
            goalCount: DEVICES,
            minimumCount: 2,
            overSelection: 1,
            trainDeadlineMs: 20_000,
            reportDeadlineMs: 10_000,
          },
          // With a state of its own, which has to be of the version the next round begins with.
          strategy: { name: "fedAdam", parameters: { learningRate: 0.005 } },
          evaluation: { dataset: digest, batchSize: 100 },
          // Secure cohorts are killed in a test of their own.
          secureAggregation: { mode: "off" },
        }),
      );
      const fleet = await createFleet({
        coordinator: coordinator.url,
        trustedRoot: new Uint8Array(root),
        mintToken: () => tokens.mint(asPopulationName("default")),
        dataDir: join(folder.path, name),
        devices: DEVICES,
        threads: 1,
        examples: { min: 64, max: 64 },
        model: name,
        task: name,
      });
      fleets.push(fleet);
      await fleet.started;
    }
  }, 600_000);
  afterAll(async () => {
    await Promise.all(fleets.map((fleet) => fleet.close()));
    await coordinator?.stop();
    folder.remove();
  });

  const versionsOf = async (name: string) => (await api().versions(name)).versions;

  const newest = async (name: TaskName): Promise<number> =>
    Math.max(...(await versionsOf(name)).map(({ version }) => version));

  /** Resolves when each of these tasks has made a version: the devices came back by themselves. */
  async function commits(tasks: readonly TaskName[]): Promise<void> {
    const before = await Promise.all(tasks.map(newest));
    await vi.waitFor(
      async () => {
        const now = await Promise.all(tasks.map(newest));
        expect(
          now.every((version, i) => version > before[i]!),
          `${now.join()} after ${before.join()}`,
        ).toBe(true);
      },
      { timeout: 120_000, interval: 100 },
    );
  }

  test(
    `survives ${KILLS} kills: no version is lost or made twice, and no task stands still`,
    { timeout: 7_200_000 },
    async () => {
      const seen = new Map<string, string>();
      const phases = new Map<string, number>();
      let resumed = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        await commits([TASKS[kill % 3]!]);
        const before = await Promise.all(TASKS.map(versionsOf));
        await moment(random.next() * 1_200);
        const rounds = await Promise.all(
          TASKS.map(async (name) => (await api().rounds(name, { limit: 1 })).rounds[0]!),
        );
        for (const { phase } of rounds) phases.set(phase, (phases.get(phase) ?? 0) + 1);
        await coordinator.kill();
        expectStatesOfCurrentVersions(join(coordinator.dataDir, "tributary.db"));
        await start();
        for (const [i, name] of TASKS.entries()) {
          expectContinued(before[i]!, await versionsOf(name), seen);
          const { id, phase, endedAt } = rounds[i]!;
          const round = await api().round(id);
          if (phase !== "committed" && endedAt === null && round.reason !== "round/interrupted") resumed += 1;
          const current = (await versionsOf(name)).reduce((a, b) => (a.version > b.version ? a : b));
          const blob = await fetch(`${coordinator.url}/v1/blobs/${current.weightsDigest}`);
          expect((await blob.arrayBuffer()).byteLength).toBe(current.sizeBytes);
        }
        if (kill % 20 !== 19) continue;
        await commits(TASKS);
        console.log(`${kill + 1} kills`);
      }
      await commits(TASKS);
      console.log(
        `killed while ${Array.from(phases, ([phase, times]) => `${phase} ${times}x`).join(", ")}; ${resumed} rounds went on`,
      );
      expect(phases.size).toBeGreaterThan(1);
      expect(resumed).toBeGreaterThan(0);
    },
  );

  test(`goes on after it stood still for ${PAUSE_MS / 1000} s (SIGSTOP)`, { timeout: 600_000 }, async () => {
    const before = await Promise.all(TASKS.map(versionsOf));
    process.kill(coordinator.pid, "SIGSTOP");
    await moment(PAUSE_MS);
    process.kill(coordinator.pid, "SIGCONT");
    await commits(TASKS);
    for (const [i, name] of TASKS.entries()) expectContinued(before[i]!, await versionsOf(name), new Map());
  });
});

/** Everything of before is there, unchanged, and what follows is numbered without a gap. */
function expectContinued(
  before: readonly VersionView[],
  after: readonly VersionView[],
  seen: Map<string, string>,
): void {
  for (const { model, version, weightsDigest } of before) {
    const key = `${model} ${version}`;
    expect(seen.get(key) ?? weightsDigest, `${key} changed`).toBe(weightsDigest);
    seen.set(key, weightsDigest);
    // The list is of the newest hundred.
    if (version >= after.at(-1)!.version)
      expect(after.find((each) => each.version === version)?.weightsDigest).toBe(weightsDigest);
  }
  const numbers = after.map(({ version }) => version).toSorted((a, b) => a - b);
  expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
  const rounds = after.flatMap(({ roundId }) => (roundId === null ? [] : [roundId]));
  expect(new Set(rounds).size).toBe(rounds.length);
}

/** Looks into the database that the kill left, as the next coordinator will find it. */
function expectStatesOfCurrentVersions(path: string): void {
  const db = new DatabaseSync(path);
  try {
    const rows = db
      .prepare(
        `select optimizers.version, models.current_version as current
         from optimizers join tasks on tasks.name = optimizers.task join models on models.name = tasks.model`,
      )
      .all();
    for (const row of rows) expect(row["version"]).toBe(row["current"]);
  } finally {
    db.close();
  }
}

/** The seeded moment of the kill, and the length of a pause: the waits that are the test's subject. */
function moment(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
