import { fork } from "node:child_process";
import { once } from "node:events";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { type Coordinator, createCoordinator } from "@tributary/coordinator";
import { seededRandom } from "@tributary/core";
import { buildDigitsCnn } from "@tributary/onnx";
import { createRuntime } from "@tributary/runtime/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import type { UpdatingDevice } from "../src/updating-device.ts";

const FULL = process.env.TRIBUTARY_TEST_FULL === "1";
const CUTS = FULL ? 100 : 3;
const DEVICE = join(import.meta.dirname, "../src/updating-device.ts");
/** Nobody answers there. */
const AWAY = "http://127.0.0.1:1/";
const image = Uint8Array.from({ length: 784 }, (_, i) => (i * 7) % 256);

const folder = temporaryFolder();
const installed = join(folder.path, "installed");
let coordinator: Coordinator;
let trust: { root: Uint8Array };
/** What each version says of the image. */
const answers: number[][] = [];

async function answerOf(dataDir: string, models: string): Promise<{ version: number; logits: number[] }> {
  const runtime = await createRuntime({ models, trust, dataDir });
  try {
    const digits = await runtime.model("digits");
    const { version, outputs } = await digits.run({ image });
    return { version, logits: Array.from(outputs["logits"]!.data as Float32Array) };
  } finally {
    await runtime.close();
  }
}

/** The device in its own process: how many times it changed its disk, or undefined where its power was cut. */
async function update(device: UpdatingDevice): Promise<number | undefined> {
  const child = fork(DEVICE, [JSON.stringify(device)], {
    execArgv: ["--conditions=@tributary/source"],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  let changes: number | undefined;
  child.on("message", (told) => ({ changes } = told as { changes: number }));
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  expect([code, signal]).toEqual(changes === undefined ? [null, "SIGKILL"] : [0, null]);
  return changes;
}

beforeAll(async () => {
  coordinator = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    logLevel: "silent",
  });
  trust = { root: coordinator.tufRoot };
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  const models = `${coordinator.url}/v1/`;
  await api.publishModel("digits", buildDigitsCnn({ seed: "before" }));
  answers[1] = (await answerOf(installed, models)).logits;
  await api.publishModel("digits", buildDigitsCnn({ seed: "after" }));
  answers[2] = (await answerOf(join(folder.path, "second"), models)).logits;
});
afterAll(async () => {
  await coordinator?.close();
  folder.remove();
});

test(
  "a device whose power is cut in the middle of an update starts with the old or the new version, whole",
  async () => {
    const device = (dataDir: string, cutAt?: number): UpdatingDevice => ({
      models: `${coordinator.url}/v1/`,
      root: Buffer.from(trust.root).toString("base64"),
      dataDir,
      ...(cutAt === undefined ? {} : { cutAt }),
    });
    const whole = join(folder.path, "whole");
    cpSync(installed, whole, { recursive: true });
    const changes = (await update(device(whole)))!;
    expect(await answerOf(whole, AWAY)).toEqual({ version: 2, logits: answers[2] });
    expect(changes).toBeGreaterThan(20);

    const random = seededRandom("power cut");
    const started = new Set<number>();
    for (let cut = 0; cut < CUTS; cut++) {
      // All over the update, one moment of each of as many stretches, and behind its end, when all that counts has to be on disk.
      const isLast = cut === CUTS - 1;
      const cutAt = isLast ? changes + 1 : 1 + Math.floor(((cut + random.next()) / (CUTS - 1)) * changes);
      const dataDir = join(folder.path, `cut-${cut}`);
      cpSync(installed, dataDir, { recursive: true });
      await update(device(dataDir, cutAt));
      const { version, logits } = await answerOf(dataDir, AWAY);
      expect([1, 2]).toContain(version);
      expect(logits, `cut before change ${cutAt} of ${changes}`).toEqual(answers[version]);
      started.add(version);
      rmSync(dataDir, { recursive: true });
    }
    // Both happen, if there are enough of them.
    expect(started.size).toBeGreaterThanOrEqual(FULL ? 2 : 1);
  },
  FULL ? 900_000 : 60_000,
);
