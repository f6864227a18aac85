import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "@tributary/engine";
import { sampleFeeds } from "@tributary/engine/sample-feeds";
import { SELF_CHECK_TOLERANCE } from "@tributary/engine/self-check";
import { createTfjsEngine } from "@tributary/engine/tfjs";
import { createRuntime } from "@tributary/runtime/node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startSite, type Site } from "../fixtures/site.ts";
import { buildTfjsModel, tfjsModelAnswer } from "../fixtures/tfjs-model.ts";

let dataDir: string;
let site: Site;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-tfjs-"));
  site = await startSite();
  await site.repository.releaseModel("dense", buildTfjsModel());
});
afterEach(async () => {
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

const start = (tfjs?: Engine) =>
  createRuntime({
    coordinator: site.url,
    trust: { root: site.repository.root },
    dataDir,
    ...(tfjs === undefined ? {} : { tfjs }),
  });

test("a released model of TensorFlow.js runs beside ONNX models, with exact or int8 weights", async () => {
  await site.repository.release(1);
  const tfjs = await createTfjsEngine();
  await using runtime = await start(tfjs);
  const x = [1, 2, 3, 4];
  const exact = await runtime.model("dense", { variant: "float32" });
  expect(exact.state).toMatchObject({ engine: "tfjs-cpu", variant: "float32" });
  const { outputs } = await exact.run({ y_input: x });
  expect(Array.from(outputs["y"]!.data, Number)).toEqual(
    tfjsModelAnswer(x).map((value) => expect.closeTo(value, 5) as number),
  );
  await exact.close();
  expect((await runtime.model("digits")).state.engine).toBe("ort-node");
  expect((await runtime.diagnose()).engines.available).toEqual(["ort-node", "tfjs-cpu"]);
  await tfjs.close();
});

test("a version that answers otherwise here than where it was published does not run", async () => {
  const seed = "dense";
  const { y_input: row } = sampleFeeds([{ name: "y_input", dtype: "float32", shape: [-1, 4] }], seed);
  const answer = tfjsModelAnswer(Array.from(row!.data, Number));
  const signed = (values: readonly number[]) => ({
    selfCheck: {
      seed,
      tolerance: SELF_CHECK_TOLERANCE,
      float32: [{ name: "y", values: [...values] }],
      int8: [{ name: "y", values: [...values] }],
    },
  });
  const tfjs = await createTfjsEngine();
  await using runtime = await start(tfjs);
  const wrong = signed(answer.map((value) => value + 0.5));
  await site.repository.releaseModel("dense", buildTfjsModel(), 2, wrong);
  await expect(runtime.model("dense", { variant: "float32" })).rejects.toMatchObject({
    code: "runtime/self-check-failed",
  });
  await site.repository.releaseModel("dense", buildTfjsModel(), 2, { ...signed(answer), version: 2 });
  const dense = await runtime.model("dense", { variant: "float32" });
  expect(dense.state.version).toBe(2);
  await tfjs.close();
});

test("without TensorFlow.js the runtime says what to give it", async () => {
  await using runtime = await start();
  await expect(runtime.model("dense")).rejects.toMatchObject({
    code: "engine/unavailable",
    message: expect.stringContaining("createTfjsEngine") as string,
  });
});
