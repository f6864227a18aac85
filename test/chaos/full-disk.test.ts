import { execFileSync } from "node:child_process";
import { closeSync, fstatSync, ftruncateSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { subscribeEvents } from "@tributary/api-client";
import { asModelName, asTaskName, type RoundId } from "@tributary/core";
import { build2nn } from "@tributary/onnx";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { startCoordinator, temporaryFolder, type CoordinatorProcess } from "../src/coordinator-process.ts";
import { mintToken } from "../src/enrolment-token.ts";
import { enrol } from "../src/scripted-device.ts";
import { createScriptedRound, type ScriptedRound } from "../src/scripted-round.ts";

const SIZE_MB = 64;
const folder = temporaryFolder();
const filler = join(folder.path, "filler");
const missing = mountTmpfs(folder.path);
let coordinator: CoordinatorProcess;
let round: ScriptedRound;

/** A disk of its own, small enough to be filled. Returns why there is none. */
function mountTmpfs(path: string): string | undefined {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MB}m`, "tmpfs", path], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    return `no disk can be mounted here (root on Linux may): ${String(error).split("\n")[0]}`;
  }
}

/** Takes every byte but so many. */
function fill(leaveBytes: number): void {
  const file = openSync(filler, "a");
  try {
    for (let size = 2 ** 20; size >= 1; size = size === 1 ? 0 : size / 16)
      for (;;)
        try {
          writeSync(file, new Uint8Array(size));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
          break;
        }
    ftruncateSync(file, Math.floor(fstatSync(file).size - leaveBytes));
  } finally {
    closeSync(file);
  }
}

beforeAll(async () => {
  if (missing !== undefined) return;
  coordinator = await startCoordinator({ dataDir: join(folder.path, "data") });
  round = await createScriptedRound(coordinator, {
    model: build2nn({ seed: "full disk" }),
    devices: 3,
    rounds: 2,
    cohort: { goalCount: 3, minimumCount: 2, trainDeadlineMs: 60_000, reportDeadlineMs: 20_000 },
  });
});
afterAll(async () => {
  round?.close();
  await coordinator?.stop();
  if (missing === undefined) execFileSync("umount", [folder.path]);
  folder.remove();
});

const task = asTaskName("scripted");
const problem = async () => (await round.api.status()).storageProblem;
const versions = async () =>
  (await round.api.versions(asModelName(task))).versions.map(({ version }) => version);

/** All devices report to the round that they were offered. */
async function report(roundId: RoundId): Promise<void> {
  const bodies = round.devices.map((_, i) => round.body({ numExamples: 10, fill: 0.01 * (i + 1), roundId }));
  for (const [i, device] of round.devices.entries()) await round.ready(device, bodies[i]!, 10);
  await Promise.all(
    round.devices.map(async (device, i) => {
      await device.next("request-report");
      expect((await device.upload(roundId, bodies[i]!)).status).toBe(202);
    }),
  );
}

test("no room for a version: the round is abandoned, no half of it stays, and the next one makes it when there is room", async ({
  skip,
}) => {
  skip(missing !== undefined, missing);
  // Room for the updates, and for nothing of their size after them.
  fill(3.4 * 4 * 199_210);
  await report(round.roundId);
  expect(await round.devices[0]!.next("outcome")).toMatchObject({
    result: "abandoned",
    code: "store/quota-exceeded",
  });
  expect(await versions()).toEqual([1]);
  expect(readdirSync(join(coordinator.dataDir, "blobs", "incoming"))).toEqual([]);
  expect(await round.api.round(round.roundId)).toMatchObject({
    phase: "abandoned",
    reason: "store/quota-exceeded",
    reported: 3,
  });

  rmSync(filler);
  const [offer] = await Promise.all(round.devices.map((device) => device.next("offer", 60_000)));
  await report(offer!.roundId);
  expect(await round.devices[0]!.next("outcome")).toMatchObject({ result: "committed", version: 2 });
});

test("no room for a row: an operator is told at once, and for as long as it lasts", async ({ skip }) => {
  skip(missing !== undefined, missing);
  expect(await problem()).toBeNull();
  let told: string | null | undefined;
  const stream = subscribeEvents(coordinator.url, {
    token: coordinator.operatorToken,
    onEvent(event) {
      if (event.type === "storage") told = event.data.problem?.code ?? null;
    },
  });
  onTestFinished(() => stream.close());
  await expect.poll(() => told).toBeNull();
  fill(0);
  // What the database had set aside is used up after some of them.
  let refused: unknown;
  for (let i = 0; i < 2_000 && refused === undefined; i++)
    refused = await mintToken(coordinator.dataDir)
      .then((token) => enrol(coordinator.url, token))
      .then(
        () => undefined,
        (error: unknown) => error,
      );
  expect(String(refused)).toMatch(/507 .*store\/quota-exceeded/);
  expect(await problem()).toMatchObject({ code: "store/quota-exceeded" });
  await expect.poll(() => told).toBe("store/quota-exceeded");
  rmSync(filler);
  await enrol(coordinator.url, await mintToken(coordinator.dataDir));
  expect(await problem()).toBeNull();
  await expect.poll(() => told).toBeNull();
});
