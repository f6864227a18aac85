import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { encodeModel } from "@tributary/onnx";
import type { Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { tensor } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { difference, PUBLISHED_MODELS, readCase } from "../fixtures/published-models.ts";
import { startSite, type Site } from "../fixtures/site.ts";

const FULL = process.env["TRIBUTARY_TEST_FULL"] === "1";
const FOLDER = join(
  process.env["TRIBUTARY_DATA"] ?? join(import.meta.dirname, "../../../../../shared/data"),
  "onnx-models",
);
/** Of each model in the normal run. */
const DATA_SETS = FULL ? Infinity : 2;

let dataDir: string;
let site: Site;
let runtime: Runtime;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-published-"));
  site = await startSite();
  runtime = await createRuntime({ coordinator: site.url, trust: { root: site.repository.root }, dataDir });
});
afterAll(async () => {
  await runtime.close();
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** Whether sums of uint8 and int8 products saturate in int16 here, as on x86 without VNNI. */
async function productsSaturate(): Promise<boolean> {
  const engine = await createOrtNodeEngine();
  const port = (name: string, elementType: "uint8" | "int8" | "int32", shape: number[]) => ({
    name,
    elementType,
    shape,
  });
  const node = { name: "", domain: "", opType: "MatMulInteger", attributes: new Map() };
  const session = await engine.load(
    encodeModel({
      irVersion: 8,
      producerName: "test",
      producerVersion: "",
      domain: "",
      modelVersion: 0,
      opsetImports: [{ domain: "", version: 17 }],
      metadata: [],
      graph: {
        name: "products",
        nodes: [{ ...node, inputs: ["a", "b"], outputs: ["y"] }],
        initializers: [],
        inputs: [port("a", "uint8", [1, 16]), port("b", "int8", [16, 16])],
        outputs: [port("y", "int32", [1, 16])],
        valueInfo: [],
      },
    }),
  );
  const { y } = await session.run({
    a: tensor("uint8", [1, 16], new Uint8Array(16).fill(255)),
    b: tensor("int8", [16, 16], new Int8Array(256).fill(127)),
  });
  await engine.close();
  return y!.data[0] !== 16 * 255 * 127;
}

test.for(PUBLISHED_MODELS)("$name gives its published outputs", async (model, context) => {
  const folder = join(FOLDER, model.name);
  if (!existsSync(folder)) context.skip(`${folder} is absent: set TRIBUTARY_DATA`);
  if (model.heavy === true && !FULL) context.skip("large: test:full runs it");
  if (model.saturates === true && (await productsSaturate())) {
    context.skip("this processor adds products of int8 in int16");
  }
  const onnx = new Uint8Array(await readFile(join(folder, "model.onnx")));
  await site.repository.releaseModel(model.name, onnx);
  const handle = await runtime.model(model.name, { variant: "float32" });
  expect(handle.state).toMatchObject({ engine: "ort-node", variant: "float32" });
  for (let dataSet = 0; dataSet < Math.min(model.dataSets, DATA_SETS); dataSet++) {
    const { feeds, expected } = await readCase(onnx, dataSet, async (path) =>
      existsSync(join(folder, path)) ? new Uint8Array(await readFile(join(folder, path))) : undefined,
    );
    const { outputs } = await handle.run(feeds);
    expect(Object.keys(expected)).not.toEqual([]);
    expect(difference(expected, outputs, model), `data set ${dataSet}`).toBeUndefined();
  }
  await handle.close();
});
