import { sha256 } from "@tributary/core";
import {
  bindWeights,
  buildDigitsCnn,
  buildLinear,
  decodeModel,
  encodeModel,
  splitWeights,
} from "@tributary/onnx";
import {
  EXPLANATION_KEY,
  parseExplanationSpec,
  parseModelManifest,
  parsePersonalisation,
  parsePlan,
  PERSONALISATION_KEY,
  PROCESSING_KEY,
  type TaskView,
  type VersionView,
} from "@tributary/protocol";
import {
  dequantizeParameters,
  parameterSet,
  parametersFromSafetensors,
  quantizedChannels,
  tensor,
  writeSafetensors,
} from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { releaseReader, type ReleaseReader } from "../release-reader.ts";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

const OCTETS = { "content-type": "application/octet-stream" };

let coordinator: RunningCoordinator;
let released: ReleaseReader;
const onnx = buildDigitsCnn({ seed: "publish" });

beforeAll(async () => {
  coordinator = await runningCoordinator();
  released = releaseReader(coordinator);
});
afterAll(() => coordinator.end());

const publish = (model: string, body: Uint8Array<ArrayBuffer>) =>
  coordinator.request(`/v1/models/${model}/versions`, {
    method: "POST",
    operator: true,
    headers: OCTETS,
    body,
  });

const createTask = (spec: object) =>
  coordinator.request("/v1/tasks", {
    method: "POST",
    operator: true,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(spec),
  });

test("before anything is published there is a verified release that only says who vouches for devices", async () => {
  await released.client.refresh();
  expect([...released.client.targets().keys()]).toEqual(["issuer.json"]);
  expect(await (await coordinator.request("/v1/models")).json()).toEqual({ models: [] });
});

describe("a published model", () => {
  let version: VersionView;
  beforeAll(async () => {
    const response = await publish("digits", onnx);
    expect(response.status).toBe(201);
    version = (await response.json()) as VersionView;
    await released.client.refresh();
  });

  test("is version 1", () => {
    expect(version).toMatchObject({ model: "digits", version: 1, parentVersion: null, roundId: null });
    expect(version.parameterCount).toBe(splitWeights(onnx).parameters.values.length);
    expect(version.int8SizeBytes).toBeLessThan(version.sizeBytes / 2);
  });

  test("comes with what devices personalise it by", async () => {
    await released.client.refresh();
    const manifest = parseModelManifest(await released.download("models/digits/stable.json"));
    const document = parsePersonalisation(await released.download(manifest.personalisation!.target));
    expect(document).toMatchObject({ model: "digits", batchSize: 8 });
    const { head, lowRank } = document;
    expect(lowRank!.training.spec.parameters.every(({ name }) => name.includes(".lora_"))).toBe(true);
    expect(head!.training.spec.parameters.length).toBeGreaterThan(0);
    expect(head!.inference).toBeUndefined();
    expect(head!.training.whole).toBe("short");
    for (const { target } of [head!.training, lowRank!.training, lowRank!.inference!])
      expect((await released.download(target)).length).toBeGreaterThan(500);
  });

  test("brings the graph that explains its answers, and that takes the weights of any version", async () => {
    const { explanation, parameters, weights } = parseModelManifest(
      await released.download("models/digits/stable.json"),
    );
    const graph = await released.download(explanation!.target);
    const stored = parametersFromSafetensors(parameters, await released.download(weights.float32.target));
    const complete = decodeModel(bindWeights(graph, stored));
    const { value } = complete.metadata.find(({ key }) => key === EXPLANATION_KEY)!;
    const spec = parseExplanationSpec(value);
    expect([spec.batchSize, spec.output, spec.gradients.map(({ input }) => input)]).toEqual([
      8,
      "logits",
      ["image"],
    ]);
    expect(complete.graph.outputs.map(({ name }) => name)).toEqual([
      spec.score,
      ...spec.gradients.map(({ output }) => output),
    ]);
  });

  test("puts together from signed targets, byte for byte", async () => {
    const manifest = parseModelManifest(await released.download("models/digits/stable.json"));
    expect(manifest).toMatchObject({ model: "digits", version: 1, parentVersion: null });
    expect(manifest.inputs).toEqual([{ name: "image", dtype: "float32", shape: [-1, 1, 28, 28] }]);
    const split = splitWeights(onnx);
    const graph = await released.download(manifest.graph.target);
    expect(graph).toEqual(split.graph);
    const weights = await released.download(manifest.weights.float32.target);
    expect(sha256(weights)).toBe(version.weightsDigest);
    const parameters = parametersFromSafetensors(manifest.parameters, weights);
    expect(parameters.values).toEqual(split.parameters.values);
    expect(bindWeights(graph, parameters).length).toBeGreaterThan(weights.length);
    const int8 = dequantizeParameters(
      manifest.parameters,
      await released.download(manifest.weights.int8.target),
    );
    const worst = int8.values.reduce(
      (most, value, index) => Math.max(most, Math.abs(value - split.parameters.values[index]!)),
      0,
    );
    expect(worst).toBeGreaterThan(0);
    expect(worst).toBeLessThan(0.01);
  });

  test("is listed", async () => {
    const { models } = (await (await coordinator.request("/v1/models")).json()) as { models: unknown[] };
    expect(models).toEqual([
      expect.objectContaining({
        name: "digits",
        currentVersion: 1,
        versions: 1,
        channels: [expect.objectContaining({ name: "stable", version: 1 })],
      }),
    ]);
    const one = await coordinator.request("/v1/models/digits");
    expect(await one.json()).toEqual(models[0]);
    const versions = await (await coordinator.request("/v1/models/digits/versions")).json();
    expect(versions).toEqual({ versions: [version], next: null });
    expect(await errorCode(await coordinator.request("/v1/models/none"))).toBe("coordinator/unknown-model");
  });

  test("another graph under its name is refused, the release stays", async () => {
    const before = released.client.timestampVersion;
    const response = await publish("digits", buildLinear({ seed: "other" }));
    expect(response.status).toBe(409);
    expect(await errorCode(response)).toBe("coordinator/model-exists");
    await released.client.refresh();
    expect(released.client.timestampVersion).toBe(before);
  });

  test("new weights for its graph become the next version", async () => {
    const response = await publish("digits", buildDigitsCnn({ seed: "again" }));
    expect(await response.json()).toMatchObject({ version: 2, parentVersion: 1 });
    const { timestampVersion } = released.client;
    await released.client.refresh();
    expect(released.client.timestampVersion).toBeGreaterThan(timestampVersion);
    const manifest = parseModelManifest(await released.download("models/digits/stable.json"));
    expect(manifest).toMatchObject({ version: 2, parentVersion: 1 });
    // Version 1 can still be downloaded, by devices in the middle of something.
    await released.download("models/digits/versions/1/weights.safetensors");
  });

  test("a version near its parent keeps the parent's scales and differs in few bytes", async () => {
    const parent = buildDigitsCnn({ seed: "again" });
    const { graph, parameters } = splitWeights(parent);
    const near = parameterSet(
      parameters.schema,
      parameters.values.map((value, i) => value + 1.5e-4 * Math.sin(i)),
    );
    expect((await publish("digits", bindWeights(graph, near))).status).toBe(201);
    await released.client.refresh();
    const manifest = parseModelManifest(await released.download("models/digits/stable.json"));
    expect(manifest).toMatchObject({ version: 3, parentVersion: 2 });
    const after = await released.download(manifest.weights.int8.target);
    const before = await released.download("models/digits/versions/2/weights.int8.safetensors");
    const [now, then] = [after, before].map((bytes) => quantizedChannels(near.schema, bytes));
    for (const [name, { scales }] of now!) expect(scales).toEqual(then!.get(name)!.scales);
    const differing = after.reduce((count, byte, i) => count + (byte === before[i] ? 0 : 1), 0);
    expect(differing).toBeGreaterThan(0);
    expect(differing / after.length).toBeLessThan(0.05);
  });
});

test.each<[string, Uint8Array<ArrayBuffer>]>([
  ["garbage", new TextEncoder().encode("this is no model")],
  ["nothing", new Uint8Array(0)],
  ["a truncated model", onnx.slice(0, onnx.length - 7)],
])("%s is refused with a coded error", async (_, body) => {
  const response = await publish("broken", body);
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.status).toBeLessThan(500);
  expect(await errorCode(response)).toMatch(/^(onnx|http)\//);
  expect((await coordinator.request("/v1/models/broken")).status).toBe(404);
});

test("a model larger than the limit is refused while it arrives", async () => {
  const small = await runningCoordinator({ limits: { maxModelBytes: 1000 } });
  const response = await small.request("/v1/models/digits/versions", {
    method: "POST",
    operator: true,
    headers: OCTETS,
    body: onnx,
  });
  expect(await errorCode(response)).toBe("http/payload-too-large");
  await small.end();
});

describe("a task", () => {
  let dataset: string;
  beforeAll(async () => {
    const file = writeSafetensors([
      ["images", tensor("uint8", [4, 1, 28, 28], new Uint8Array(4 * 784))],
      ["labels", tensor("int32", [4], new Int32Array([0, 1, 2, 3]))],
    ]);
    const response = await coordinator.request("/v1/blobs", {
      method: "POST",
      operator: true,
      headers: OCTETS,
      body: file,
    });
    expect(response.status).toBe(201);
    const stored = (await response.json()) as { digest: string; sizeBytes: number };
    expect(stored).toEqual({ digest: sha256(file), sizeBytes: file.length });
    dataset = stored.digest;
  });

  test.each([
    [{ trainable: ["encoder.*"] }, "coordinator/invalid-task"],
    [{ loss: { kind: "mse" }, evaluation: { dataset: "DATASET" } }, "coordinator/invalid-task"],
    [{ loss: { kind: "graph", graph: "0".repeat(64) } }, "coordinator/invalid-task"],
    [{ loss: { kind: "softmax-cross-entropy", classWeights: [1, 2] } }, "onnx/invalid-option"],
    [{ metrics: [{ kind: "topK", k: 11 }] }, "onnx/invalid-option"],
    [{ loss: { kind: "hinge" } }, "protocol/invalid-document"],
  ])("with options that do not fit its model is refused: %o", async (options, code) => {
    const text = JSON.stringify({ name: "unfit", model: "digits", ...options }).replace("DATASET", dataset);
    expect(await errorCode(await createTask(JSON.parse(text) as object))).toBe(code);
  });

  test("is published as a signed plan with its graphs", async () => {
    const spec = {
      name: "learn-digits",
      model: "digits",
      rounds: 5,
      local: { batchSize: 8 },
      evaluation: { dataset, batchSize: 50 },
    };
    const response = await createTask(spec);
    expect(response.status).toBe(201);
    const view = (await response.json()) as TaskView;
    expect(view).toMatchObject({ name: "learn-digits", state: "running", roundsCommitted: 0 });
    expect(view.spec).toMatchObject({ rounds: 5, local: { batchSize: 8, epochs: 1 } });

    await released.client.refresh();
    const plan = parsePlan(await released.download("models/digits/plans/learn-digits/1.json"));
    expect(plan).toMatchObject({ task: "learn-digits", model: "digits", population: "default" });
    expect(plan.training.spec).toMatchObject({ kind: "train", batchSize: 8 });
    expect(plan.evaluation.spec).toMatchObject({ kind: "evaluate", batchSize: 50 });
    expect(plan.training.spec.parameters.map(({ name }) => name)).toEqual(
      plan.parameters.map(({ name }) => name),
    );
    expect((await released.download(plan.training.target)).length).toBeGreaterThan(1000);
    // The GPU's form has no loop, which would go through the CPU.
    const webgpu = plan.training.webgpu!;
    expect(plan.training.spec.loop).toBeDefined();
    expect(webgpu.spec.loop).toBeUndefined();
    expect(await released.download(webgpu.target)).not.toEqual(await released.download(plan.training.target));
    expect(view.spec.loss).toEqual({ kind: "softmax-cross-entropy" });
    expect((await released.download(plan.evaluation.target)).length).toBeGreaterThan(100);
  });

  test("is listed, paused and let go on", async () => {
    const { tasks } = (await (await coordinator.request("/v1/tasks")).json()) as { tasks: TaskView[] };
    expect(tasks.map((task) => task.name)).toEqual(["learn-digits"]);
    const change = (state: object) =>
      coordinator.request("/v1/tasks/learn-digits/state", {
        method: "POST",
        operator: true,
        headers: { "content-type": "application/json" },
        body: JSON.stringify(state),
      });
    expect(await (await change({ state: "paused" })).json()).toMatchObject({ state: "paused" });
    const more = (await (await change({ state: "running", moreRounds: 7 })).json()) as TaskView;
    expect(more.state).toBe("running");
    expect(more.spec.rounds).toBe(more.roundsCommitted + 7);
    expect(await errorCode(await change({ state: "finished" }))).toBe("http/bad-request");
    const rounds = await coordinator.request("/v1/tasks/learn-digits/rounds?limit=5");
    expect(rounds.status).toBe(200);
    expect(await errorCode(await coordinator.request("/v1/tasks/none"))).toBe("coordinator/unknown-task");
    expect(await errorCode(await coordinator.request("/v1/rounds/none"))).toBe("http/not-found");
  });

  test("is the only one that trains its model, until it is paused", async () => {
    const change = (task: string, state: string) =>
      coordinator.request(`/v1/tasks/${task}/state`, {
        method: "POST",
        operator: true,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ state }),
      });
    const second = { name: "learn-more", model: "digits" };
    const refused = await createTask(second);
    expect(refused.status).toBe(409);
    expect(await errorCode(refused)).toBe("coordinator/model-busy");
    await change("learn-digits", "paused");
    expect((await createTask(second)).status).toBe(201);
    expect(await errorCode(await change("learn-digits", "running"))).toBe("coordinator/model-busy");
    await change("learn-more", "paused");
    expect((await change("learn-digits", "running")).status).toBe(200);
  });

  test.each<[string, object, string]>([
    ["a name that is taken", { name: "learn-digits", model: "digits" }, "coordinator/task-exists"],
    ["a model that is not there", { name: "t", model: "none" }, "coordinator/unknown-model"],
    ["an unknown field", { name: "t", model: "digits", rouns: 3 }, "protocol/invalid-document"],
    [
      "a data set that is not there",
      { name: "t", model: "digits", evaluation: { dataset: "0".repeat(64) } },
      "coordinator/invalid-task",
    ],
    [
      "a minimum above the goal",
      { name: "t", model: "digits", cohort: { goalCount: 2, minimumCount: 3 } },
      "protocol/invalid-document",
    ],
  ])("with %s is refused", async (_, spec, code) => {
    const response = await createTask(spec);
    expect(response.status).toBeLessThan(500);
    expect(await errorCode(response)).toBe(code);
  });

  const uint8 = (shape: number[]) => tensor("uint8", shape, new Uint8Array(shape.reduce((a, b) => a * b, 1)));
  const int32 = (...values: number[]) => tensor("int32", [values.length], new Int32Array(values));
  test.each<[string, Uint8Array<ArrayBuffer>, string]>([
    ["no safetensors", new Uint8Array(100), "no safetensors"],
    ["no labels", writeSafetensors([["images", uint8([1, 784])]]), "labels"],
    [
      "too few labels",
      writeSafetensors([
        ["images", uint8([2, 784])],
        ["labels", int32(1)],
      ]),
      "images 2",
    ],
    [
      "another size",
      writeSafetensors([
        ["images", uint8([1, 100])],
        ["labels", int32(1)],
      ]),
      "takes 784",
    ],
    [
      "a class too many",
      writeSafetensors([
        ["images", uint8([1, 784])],
        ["labels", int32(10)],
      ]),
      "label 10",
    ],
    [
      "another type",
      writeSafetensors([
        ["images", tensor("float16", [1, 784], new Uint16Array(784))],
        ["labels", int32(1)],
      ]),
      "is float16, the model takes float32",
    ],
  ])("with a data set of %s is refused", async (_, file, problem) => {
    const stored = await coordinator.request("/v1/blobs", {
      method: "POST",
      operator: true,
      headers: OCTETS,
      body: file,
    });
    const { digest } = (await stored.json()) as { digest: string };
    const response = await createTask({ name: "t", model: "digits", evaluation: { dataset: digest } });
    const error = (await response.json()) as { code: string; data: { problem: string } };
    expect(error.code).toBe("coordinator/invalid-task");
    expect(error.data.problem).toContain(problem);
  });

  test("its data set is served to the operator alone", async () => {
    expect(await errorCode(await coordinator.request(`/v1/blobs/${dataset}`, { operator: false }))).toBe(
      "coordinator/unknown-blob",
    );
    const own = await coordinator.request(`/v1/blobs/${dataset}`, { operator: true });
    expect(own.status).toBe(200);
    expect(own.headers.get("cache-control")).toBe("private, no-store");
  });
});

describe("bulk", () => {
  let path: string;
  let whole: Uint8Array;
  beforeAll(async () => {
    await released.client.refresh();
    const file = (await released.client.find("models/digits/versions/1/weights.safetensors"))!;
    path = `/v1/blobs/${file.sha256}`;
    whole = await (await coordinator.request(path)).bytes();
  });

  test("is named by a strong tag and cacheable for ever", async () => {
    const response = await coordinator.request(path);
    expect(response.headers.get("etag")).toBe(`"${sha256(whole)}"`);
    expect(response.headers.get("cache-control")).toContain("immutable");
    expect(response.headers.get("accept-ranges")).toBe("bytes");
    expect(response.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
    expect(response.headers.get("content-length")).toBe(String(whole.length));
    const again = await coordinator.request(path, { headers: { "if-none-match": `"${sha256(whole)}"` } });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe("");
  });

  test("HEAD says the length and sends nothing", async () => {
    const response = await coordinator.request(path, { method: "HEAD" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-length")).toBe(String(whole.length));
    expect(await response.text()).toBe("");
  });

  test("a download that broke off is resumed", async () => {
    const range = await coordinator.request(path, {
      headers: { range: "bytes=100-", "if-range": `"${sha256(whole)}"` },
    });
    expect(range.status).toBe(206);
    expect(range.headers.get("content-range")).toBe(`bytes 100-${whole.length - 1}/${whole.length}`);
    expect(range.headers.get("content-length")).toBe(String(whole.length - 100));
    expect(await range.bytes()).toEqual(whole.slice(100));
    const middle = await coordinator.request(path, { headers: { range: "bytes=3-5" } });
    expect(await middle.bytes()).toEqual(whole.slice(3, 6));
  });

  test("another version of the bytes is sent whole", async () => {
    for (const ifRange of ['"other"', "Wed, 21 Oct 2015 07:28:00 GMT", `W/"${sha256(whole)}"`]) {
      const response = await coordinator.request(path, {
        headers: { range: "bytes=100-", "if-range": ifRange },
      });
      expect(response.status).toBe(200);
      expect((await response.bytes()).length).toBe(whole.length);
    }
  });

  test("a range behind the end says how long the blob is", async () => {
    const response = await coordinator.request(path, { headers: { range: `bytes=${whole.length}-` } });
    expect(response.status).toBe(416);
    expect(response.headers.get("content-range")).toBe(`bytes */${whole.length}`);
    expect(await errorCode(response)).toBe("http/range-not-satisfiable");
  });
});

test("signed metadata is cached by what it is", async () => {
  const timestamp = await coordinator.request("/v1/tuf/timestamp.json");
  expect(timestamp.headers.get("cache-control")).toBe("no-cache");
  const etag = timestamp.headers.get("etag") ?? "";
  const same = await coordinator.request("/v1/tuf/timestamp.json", { headers: { "if-none-match": etag } });
  expect(same.status).toBe(304);
  const root = await coordinator.request("/v1/tuf/1.root.json");
  expect(await root.bytes()).toEqual(coordinator.tufRoot);
  expect(root.headers.get("cache-control")).toContain("immutable");
  for (const file of ["2.root.json", "0.root.json", "snapshot.json", "1.mirrors.json", "1.timestamp.json"])
    expect([file, (await coordinator.request(`/v1/tuf/${file}`)).status]).toEqual([file, 404]);
});

test("a model whose publisher said so is not personalised", async () => {
  const off = decodeModel(buildLinear({ seed: 9 }));
  const metadata = [...off.metadata, { key: PERSONALISATION_KEY, value: "off" }];
  expect((await publish("kept-plain", encodeModel({ ...off, metadata }))).status).toBe(201);
  await released.client.refresh();
  const plain = parseModelManifest(await released.download("models/kept-plain/stable.json"));
  expect(plain.personalisation).toBeUndefined();
});

describe("a model that says how it is fed and read", () => {
  const processing = (document: unknown): Uint8Array<ArrayBuffer> => {
    const model = decodeModel(buildLinear({ seed: "processing" }));
    return encodeModel({ ...model, metadata: [{ key: PROCESSING_KEY, value: JSON.stringify(document) }] });
  };
  const image = { kind: "image", layout: "nchw", channels: "gray", fit: "contain" };
  const output = { name: "logits", activation: "softmax", topK: 3 };
  const labels = Array.from({ length: 10 }, (_, digit) => `digit ${digit}`);

  test("has it in its signed manifest", async () => {
    expect((await publish("seen", processing({ inputs: { image }, output, labels }))).status).toBe(201);
    await released.client.refresh();
    const manifest = parseModelManifest(await released.download("models/seen/stable.json"));
    expect(manifest).toMatchObject({ processing: { inputs: { image }, output }, labels });
  });

  test("is refused where that does not fit it", async () => {
    const response = await publish("unseen", processing({ labels: ["one"] }));
    expect([response.status, await errorCode(response)]).toEqual([400, "protocol/invalid-document"]);
  });
});
