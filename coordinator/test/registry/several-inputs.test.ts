import { decodeModel, encodeModel, type Model } from "@tributary/onnx";
import { parseModelManifest, parsePlan } from "@tributary/protocol";
import { tensor, writeSafetensors, type Tensor } from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildTextModel } from "../../../packages/runtime/test/fixtures/several-inputs.ts";
import { releaseReader, type ReleaseReader } from "../release-reader.ts";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

const OCTETS = { "content-type": "application/octet-stream" };

let coordinator: RunningCoordinator;
let released: ReleaseReader;

beforeAll(async () => {
  coordinator = await runningCoordinator();
  released = releaseReader(coordinator);
});
afterAll(() => coordinator.end());

const post = (path: string, body: Uint8Array<ArrayBuffer> | object) =>
  coordinator.request(path, {
    method: "POST",
    operator: true,
    headers: body instanceof Uint8Array ? OCTETS : { "content-type": "application/json" },
    body: body instanceof Uint8Array ? body : JSON.stringify(body),
  });
const publish = (model: string, body: Uint8Array<ArrayBuffer>) => post(`/v1/models/${model}/versions`, body);

describe("a model of several inputs and outputs", () => {
  const text = buildTextModel();
  const ids = tensor("int32", [2, 8], new Int32Array(16));
  const mask = tensor("bool", [2, 8], new Uint8Array(16).fill(1));
  const topic = tensor("int64", [2], BigInt64Array.of(2n, 0n));
  const score = tensor("float32", [2, 1], new Float32Array(2));

  /** The answer to a task with this data set. */
  async function taskWith(name: string, columns: Record<string, Tensor>) {
    const stored = await post("/v1/blobs", writeSafetensors(Object.entries(columns)));
    const { digest } = (await stored.json()) as { digest: string };
    return post("/v1/tasks", {
      name,
      model: "texts",
      loss: { kind: "softmax-cross-entropy", output: "topic" },
      moreLosses: [{ kind: "mse", output: "score" }],
      evaluation: { dataset: digest },
    });
  }

  test("is published with all of them, in the view and in the signed manifest", async () => {
    expect((await publish("texts", text)).status).toBe(201);
    const ports = {
      inputs: [
        { name: "ids", dtype: "int64", shape: [-1, 8] },
        { name: "mask", dtype: "float32", shape: [-1, 8] },
      ],
      outputs: [
        { name: "topic", dtype: "float32", shape: [-1, 3] },
        { name: "score", dtype: "float32", shape: [-1, 1] },
      ],
    };
    expect(await (await coordinator.request("/v1/models/texts")).json()).toMatchObject(ports);
    await released.client.refresh();
    expect(parseModelManifest(await released.download("models/texts/stable.json"))).toMatchObject(ports);
  });

  test.each<[string, Record<string, Tensor>, string]>([
    ["an input missing", { ids, "labels.topic": topic, "labels.score": score }, 'no tensor "mask"'],
    ["labels without names", { ids, mask, labels: topic }, '"labels.<output>" of each'],
    ["an output missing", { ids, mask, "labels.topic": topic }, 'no "labels.score"'],
    [
      "classes where numbers are learned",
      { ids, mask, "labels.topic": topic, "labels.score": tensor("float32", [2, 3], new Float32Array(6)) },
      '"labels.score": it has 3 numbers',
    ],
    [
      "shares as ids",
      {
        ids: tensor("float32", [2, 8], new Float32Array(16)),
        mask,
        "labels.topic": topic,
        "labels.score": score,
      },
      'its "ids" is float32, the model takes int64',
    ],
  ])("refuses a data set with %s", async (_, columns, problem) => {
    const response = await taskWith("unfit-texts", columns);
    const error = (await response.json()) as { code: string; data: { problem: string } };
    expect(error.code).toBe("coordinator/invalid-task");
    expect(error.data.problem).toContain(problem);
  });

  test("takes a data set of a tensor for each", async () => {
    const columns = { ids, mask, "labels.topic": topic, "labels.score": score };
    const response = await taskWith("learn-texts", columns);
    expect(response.status).toBe(201);
    await released.client.refresh();
    const plan = parsePlan(await released.download("models/texts/plans/learn-texts/1.json"));
    expect(plan.training.spec.labelNames).toEqual(["topic", "score"]);
  });

  const changed = (change: Partial<Model["graph"]>): Uint8Array<ArrayBuffer> => {
    const model = decodeModel(text);
    return encodeModel({ ...model, graph: { ...model.graph, ...change } });
  };
  const [first, ...others] = decodeModel(text).graph.inputs;
  test.each([
    [
      "an element type that no engine carries",
      changed({ inputs: [{ ...first!, elementType: "string" }, ...others] }),
      "onnx/unsupported-dtype",
      { kind: "input", name: "ids", got: "string" },
    ],
    [
      "too many inputs",
      changed({ inputs: Array.from({ length: 65 }, (_, i) => ({ ...first!, name: `ids${i}` })) }),
      "onnx/unsupported-graph",
      { kind: "input", count: 65 },
    ],
    [
      "an output of unknown rank",
      changed({ outputs: [{ name: "topic", elementType: "float32", shape: undefined }] }),
      "onnx/unknown-shape",
      { kind: "output", name: "topic" },
    ],
  ] as const)("with %s is refused, saying what to do", async (_, body, code, detail) => {
    const response = await publish("refused", body);
    const error = (await response.json()) as { code: string; data: object };
    expect(error).toMatchObject({ code, data: detail });
  });
});
