import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseModelManifest } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { releaseReader } from "../release-reader.ts";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

const FOLDER = join(
  process.env["TRIBUTARY_DATA"] ?? join(import.meta.dirname, "../../../../shared/data"),
  "onnx-models",
);

const FULL = process.env["TRIBUTARY_TEST_FULL"] === "1";
const SAMPLE = ["pytorch-cnn-mnist-qdq-u8s8", "skl2onnx-lr-mnist", "ort-matmul-integer-to-float-bias"];

let coordinator: RunningCoordinator;
beforeAll(async () => {
  coordinator = await runningCoordinator();
});
afterAll(() => coordinator.end());

const publish = async (model: string): Promise<Response> =>
  await coordinator.request(`/v1/models/${model}/versions`, {
    method: "POST",
    operator: true,
    headers: { "content-type": "application/octet-stream" },
    body: new Uint8Array(await readFile(join(FOLDER, model, "model.onnx"))),
  });

test("models of other makers are published: float, quantized, and of scikit-learn", async (context) => {
  if (!existsSync(FOLDER)) context.skip(`${FOLDER} is absent: set TRIBUTARY_DATA`);
  const names = FULL ? await readdir(FOLDER) : SAMPLE;
  for (const name of names) expect([name, (await publish(name)).status]).toEqual([name, 201]);
  const released = releaseReader(coordinator);
  await released.client.refresh();
  const manifest = async (name: string) =>
    parseModelManifest(await released.download(`models/${name}/stable.json`));
  // A quantized model is all graph; its parameters are inside.
  expect((await manifest("pytorch-cnn-mnist-qdq-u8s8")).parameters).toEqual([]);
  // In the place of a list of dictionaries: the probabilities of ten classes.
  expect((await manifest("skl2onnx-lr-mnist")).outputs).toEqual([
    { name: "output_label", dtype: "int64", shape: [1] },
    { name: "output_probability", dtype: "float32", shape: [1, 10] },
  ]);
  const task = { name: "quantized", model: "pytorch-cnn-mnist-qdq-u8s8", rounds: 1 };
  const refused = await coordinator.request("/v1/tasks", {
    method: "POST",
    operator: true,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(task),
  });
  const { error } = (await refused.json()) as { error: { code: string; detail: { problem: string } } };
  expect([refused.status, error.code]).toEqual([400, "coordinator/invalid-task"]);
  expect(error.detail.problem).toContain("train the float model");
});
