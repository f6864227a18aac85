import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { sampleFeeds } from "@tributary/engine/sample-feeds";
import { bindTfjs, writeTfjsArtifact } from "@tributary/engine/tfjs-artifact";
import { buildLinear, decodeModel, encodeModel } from "@tributary/onnx";
import { CALIBRATION_KEY, parseModelManifest, VARIANTS_KEY } from "@tributary/protocol";
import { parametersFromSafetensors, tensor } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildTfjsModel, tfjsModelAnswer } from "../../../packages/runtime/test/fixtures/tfjs-model.ts";
import { releaseReader } from "../release-reader.ts";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

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
  await post(
    `/v1/models/${model}/versions`,
    new Uint8Array(await readFile(join(FOLDER, model, "model.onnx"))),
    "application/octet-stream",
  );

const post = (path: string, body: BodyInit, type = "application/json"): Promise<Response> =>
  coordinator.request(path, { method: "POST", operator: true, headers: { "content-type": type }, body });

/** A published file with what its metadata is to say. */
const withMetadata = (
  onnx: Uint8Array,
  metadata: Readonly<Record<string, unknown>>,
): Uint8Array<ArrayBuffer> => {
  const entries = Object.entries(metadata).map(([key, value]) => ({ key, value: JSON.stringify(value) }));
  return encodeModel({ ...decodeModel(onnx), metadata: entries });
};
const publishBytes = (model: string, onnx: Uint8Array<ArrayBuffer>): Promise<Response> =>
  post(`/v1/models/${model}/versions`, onnx, "application/octet-stream");

test("the forms that a file asks for are derived of every version, with the ranges of the first", async () => {
  const sample = { image: [0, 0.5, 1] };
  // Wide enough for whatever random weights make of inputs up to 1.
  const calibration = { formatVersion: 1, ranges: { image: [0, 1] }, sample };
  const names = ["int8-dynamic", "int8-static", "float16"];
  const model = (seed: number) => buildLinear({ seed });
  const first = withMetadata(model(1), { [VARIANTS_KEY]: names });
  const refused = await publishBytes("forms", first);
  expect([refused.status, await errorCode(refused)]).toEqual([422, "onnx/needs-calibration"]);
  const files = [
    withMetadata(model(1), { [VARIANTS_KEY]: names, [CALIBRATION_KEY]: calibration }),
    withMetadata(model(2), { [VARIANTS_KEY]: names }),
  ];
  const scales: (readonly number[])[] = [];
  for (const [i, file] of files.entries()) {
    expect((await publishBytes("forms", file)).status).toBe(201);
    const released = releaseReader(coordinator);
    await released.client.refresh();
    const { version, variants } = parseModelManifest(await released.download("models/forms/stable.json"));
    const targetOf = (form: string) => `models/forms/versions/${i + 1}/${form}.onnx`;
    const processors = ["ort-wasm", "ort-node"];
    expect([version, variants]).toEqual([
      i + 1,
      [
        { name: "int8-dynamic", target: targetOf("int8-dynamic"), engines: processors },
        { name: "int8-static", target: targetOf("int8-static"), engines: processors, sample },
        {
          name: "float16",
          target: targetOf("float16"),
          engines: ["ort-webgpu"],
          features: ["shader-f16"],
        },
      ],
    ]);
    const graphOf = async (form: string) => decodeModel(await released.download(targetOf(form))).graph;
    const ops = (await graphOf("int8-dynamic")).nodes.map(({ opType }) => opType);
    expect(ops).toContain("DynamicQuantizeLinear");
    const fixed = await graphOf("int8-static");
    const quantizer = fixed.nodes.find(({ opType }) => opType === "QuantizeLinear")!;
    const scale = fixed.initializers.find((each) => each.name === quantizer.inputs[1])!;
    scales.push([...new Float32Array(Uint8Array.from(scale.data).buffer)]);
    const half = (await graphOf("float16")).initializers.map(({ elementType }) => elementType);
    expect(half).toContain("float16");
  }
  expect(scales).toEqual([[Math.fround(1 / 255)], [Math.fround(1 / 255)]]);
  expect((await publishBytes("others", withMetadata(model(1), { [VARIANTS_KEY]: ["int2"] }))).status).toBe(
    400,
  );
  const broken = withMetadata(model(1), { [VARIANTS_KEY]: names, [CALIBRATION_KEY]: { formatVersion: 1 } });
  expect((await publishBytes("others", broken)).status).toBe(400);
});

test("a TensorFlow.js artifact is published in a format of its own, versioned, and trained where its file tells how", async () => {
  const publishArtifact = async (weights: readonly number[]): Promise<Response> =>
    await post("/v1/models/dense/versions", artifact(weights), "application/octet-stream");
  expect((await publishArtifact([1, 2])).status).toBe(201);
  expect((await publishArtifact([3, 4])).status).toBe(201);
  const released = releaseReader(coordinator);
  await released.client.refresh();
  const manifest = parseModelManifest(await released.download("models/dense/stable.json"));
  expect(manifest).toMatchObject({
    formatVersion: 3,
    format: "tfjs",
    version: 2,
    parameters: [{ name: "y/kernel", shape: [2, 1] }],
    inputs: [{ name: "x", dtype: "float32", shape: [-1, 2] }],
  });
  const graph = await released.download(manifest.graph.target);
  const weights = parametersFromSafetensors(
    manifest.parameters,
    await released.download(manifest.weights.float32.target),
  );
  expect(bindTfjs(graph, weights)).toEqual(artifact([3, 4]));
  const refused = await post("/v1/tasks", JSON.stringify({ name: "dense", model: "dense", rounds: 1 }));
  const error = (await refused.json()) as { code: string; data: { problem: string } };
  expect([refused.status, error.code]).toEqual([400, "coordinator/invalid-task"]);
  expect(error.data.problem).toContain("publish model.json again");
  const broken = artifact([1, 2]).subarray(0, 400);
  const answer = await post("/v1/models/broken/versions", broken, "application/octet-stream");
  expect(answer.status).toBe(400);
});

test("a version of TensorFlow.js is signed with what it answers on one row", async () => {
  const { status } = await post("/v1/models/answers/versions", buildTfjsModel(), "application/octet-stream");
  expect(status).toBe(201);
  const released = releaseReader(coordinator);
  await released.client.refresh();
  const { inputs, selfCheck } = parseModelManifest(await released.download("models/answers/stable.json"));
  const row = Array.from(sampleFeeds(inputs, selfCheck!.seed)["y_input"]!.data, Number);
  const [expected] = selfCheck!.float32;
  expect(expected!.name).toBe("y");
  const byHand = tfjsModelAnswer(row).map((value) => expect.closeTo(value, 4) as number);
  expect(expected!.values).toEqual(byHand);
  // Of weights that were rounded: near, and not the same.
  const [rounded] = selfCheck!.int8;
  expect(rounded!.values).not.toEqual(expected!.values);
  expect(rounded!.values[0]).toBeCloseTo(expected!.values[0]!, 1);
});

function artifact(kernel: readonly number[]): Uint8Array<ArrayBuffer> {
  return writeTfjsArtifact({
    model: {
      kind: "layers-model",
      topology: { class_name: "Sequential", config: { layers: [] } },
      weights: ["y/kernel"],
      inputs: [{ name: "x", dtype: "float32", shape: [-1, 2] }],
      outputs: [{ name: "y", dtype: "float32", shape: [-1, 1] }],
    },
    weights: new Map([["y/kernel", tensor("float32", [2, 1], Float32Array.from(kernel))]]),
  });
}

test("models of other makers are published: float, quantized, and of scikit-learn", async (context) => {
  if (!existsSync(FOLDER)) context.skip(`${FOLDER} is absent: set TRIBUTARY_DATA`);
  const names = FULL ? await readdir(FOLDER) : SAMPLE;
  for (const name of names) expect([name, (await publish(name)).status]).toEqual([name, 201]);
  const released = releaseReader(coordinator);
  await released.client.refresh();
  const manifest = async (name: string) =>
    parseModelManifest(await released.download(`models/${name}/stable.json`));
  // A quantized model is all graph; its parameters are inside. scikit-learn's classifier has no gradients.
  expect((await manifest("pytorch-cnn-mnist-qdq-u8s8")).parameters).toEqual([]);
  expect((await manifest("skl2onnx-lr-mnist")).explanation).toBeUndefined();
  // In the place of a list of dictionaries: the probabilities of ten classes.
  expect((await manifest("skl2onnx-lr-mnist")).outputs).toEqual([
    { name: "output_label", dtype: "int64", shape: [1] },
    { name: "output_probability", dtype: "float32", shape: [1, 10] },
  ]);
  const task = { name: "quantized", model: "pytorch-cnn-mnist-qdq-u8s8", rounds: 1 };
  const refused = await post("/v1/tasks", JSON.stringify(task));
  const error = (await refused.json()) as { code: string; data: { problem: string } };
  expect([refused.status, error.code]).toEqual([400, "coordinator/invalid-task"]);
  expect(error.data.problem).toContain("train the float model");
});
