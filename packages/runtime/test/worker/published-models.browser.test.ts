import { deleteDB } from "idb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startPageRuntime, type PageRuntime } from "../fixtures/page-runtime.ts";
import { difference, PUBLISHED_MODELS, readCase } from "../fixtures/published-models.ts";

const FULL = import.meta.env["TRIBUTARY_TEST_FULL"] === "1";
const FOLDER = `${import.meta.env["TRIBUTARY_DATA"]}/onnx-models`;
/** In the normal run these stand for all: SwiftShader takes seconds to compile the shaders of a model. */
const SAMPLE: Readonly<Record<"wasm" | "webgpu", readonly string[]>> = {
  wasm: [
    "cntk-mnist-8",
    "ort-conv-int4-weights-qdq",
    "ort-dynamic-quantize-matmul-int8",
    "pytorch-mlp-bn-mnist-qoperator-u8u8",
    "skl2onnx-random-forest",
  ],
  webgpu: ["keras2onnx-xor-lesson9", "skl2onnx-lr-mnist"],
};

/** A hardware GPU runs them in milliseconds, SwiftShader in minutes: billions of products, or thousands of shaders. */
const TOO_SLOW: readonly string[] = ["keras2onnx-tiny-bert-qa", "light-resnet50", "light-vgg19"];

/** Those that run on WASM all the same, as the check of engines says. */
const NOT_ON_WEBGPU: Readonly<Record<string, "disagrees" | "failed" | "no-sample">> = {
  // Sizes that the model's free dimensions do not agree on: no batch is known that both engines could be compared on.
  "ort-dynamic-quantize-matmul-int8": "no-sample",
  "ort-matmul-integer-to-float-bias": "no-sample",
  // One step of its quantization, 4 % of the largest value, to the other side.
  "qdq-mobilenet-edgetpu-slice": "disagrees",
  // The builds with WebGPU lack these operators.
  "skl2onnx-lr-mnist": "failed",
  "skl2onnx-random-forest": "failed",
};

async function readFile(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const response = await fetch(`/@fs${FOLDER}/${path}`);
  // A folder that is not there is answered by the page of the test server.
  const isFile = response.ok && response.headers.get("content-type")?.startsWith("text/html") !== true;
  return isFile ? new Uint8Array(await response.arrayBuffer()) : undefined;
}

describe.for(["wasm", "webgpu"] as const)("through a page's runtime on %s", (engine) => {
  let database: string;
  let page: PageRuntime;
  beforeAll(async () => {
    database = `published-${crypto.randomUUID()}`;
    page = startPageRuntime(database, { prefer: engine });
    await page.runtime.status(); // the worker is there, and listens for what is to be released
  });
  afterAll(async () => {
    await page.runtime.close();
    await deleteDB(database);
  });

  test.for(PUBLISHED_MODELS)(
    "$name gives its published outputs",
    { timeout: FULL ? 900_000 : 60_000 },
    async (model, context) => {
      if (!FULL && !SAMPLE[engine].includes(model.name)) context.skip("test:full runs it");
      if (engine === "webgpu" && TOO_SLOW.includes(model.name)) {
        context.skip("a run on a software GPU takes longer than a worker is waited for");
      }
      const onnx = await readFile(`${model.name}/model.onnx`);
      if (onnx === undefined) return context.skip(`${FOLDER}/${model.name} is absent: set TRIBUTARY_DATA`);
      await page.release({ name: model.name, onnx });
      const handle = await page.runtime.model(model.name, { variant: "float32" });
      for (let dataSet = 0; dataSet < (FULL && engine === "wasm" ? model.dataSets : 1); dataSet++) {
        const { feeds, expected } = await readCase(onnx, dataSet, (path) =>
          readFile(`${model.name}/${path}`),
        );
        const { outputs } = await handle.run(feeds);
        expect(Object.keys(expected)).not.toEqual([]);
        expect(difference(expected, outputs, model), `data set ${dataSet}`).toBeUndefined();
      }
      const ran = (await page.runtime.diagnose()).models.find((each) => each.model === model.name);
      const reason = engine === "wasm" ? undefined : (NOT_ON_WEBGPU[model.name] ?? "insisted");
      expect([ran?.engine, ran?.reason]).toEqual([reason === "insisted" ? "ort-webgpu" : "ort-wasm", reason]);
      await handle.close();
    },
  );
});
