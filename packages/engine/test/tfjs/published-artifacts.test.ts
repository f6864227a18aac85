import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { tensor, type Tensor } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import { bindTfjs, isTfjsArtifact, readTfjsArtifact, splitTfjs } from "../../src/tfjs/artifact.ts";
import { createTfjsEngine, packTfjs } from "../../src/tfjs/index.ts";
import { SUITE_MODELS } from "./suite-models.ts";
import { WASM_PATHS } from "./wasm-paths.ts";

const FOLDER = join(
  process.env["TRIBUTARY_DATA"] ?? join(import.meta.dirname, "../../../../../shared/data"),
  "tfjs",
);

interface Expected {
  readonly outputs?: readonly number[];
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly output?: readonly (readonly number[])[];
  readonly first_outputs?: readonly (readonly number[])[];
}

async function expectedOf(name: string): Promise<Expected> {
  return JSON.parse(await readFile(join(FOLDER, name, "expected.json"), "utf8")) as Expected;
}

async function pack(name: string): Promise<Uint8Array<ArrayBuffer>> {
  const folder = join(FOLDER, name);
  return await packTfjs({
    modelJson: await readFile(join(folder, "model.json")),
    read: (path) => readFile(join(folder, path)),
  });
}

function expectClose(got: Tensor, want: readonly number[]): void {
  expect(got.data.length).toBeGreaterThanOrEqual(want.length);
  for (const [i, value] of want.entries()) {
    expect(Math.abs(Number(got.data[i]) - value)).toBeLessThanOrEqual(1e-5 + 1e-4 * Math.abs(value));
  }
}

/** Rows 1 to 200 of a table of abalones, as its expected outputs were made. */
async function abalones(rows: number): Promise<Tensor> {
  const lines = (await readFile(join(FOLDER, "tfjs-examples-abalone/abalone.csv"), "utf8")).split("\n");
  const values = lines.slice(1, 1 + rows).flatMap((line) => {
    const [sex = "", ...rest] = line.trim().split(",");
    return [{ F: 0, M: 1, I: 2 }[sex] ?? 0, ...rest.slice(0, -1).map(Number)];
  });
  return tensor("float32", [rows, values.length / rows], Float32Array.from(values));
}

if (!existsSync(FOLDER)) console.warn(`skipped: ${FOLDER} is not there; set TRIBUTARY_DATA`);

describe.skipIf(!existsSync(FOLDER))("published models", () => {
  test.each(["cpu", "wasm"] as const)("give their outputs on %s", async (backend) => {
    const engine = await createTfjsEngine({ backend, wasmPaths: WASM_PATHS });
    const layers = await engine.load(await pack("tfjs-examples-abalone"));
    const [input] = layers.inputs;
    const { outputs } = await expectedOf("tfjs-examples-abalone");
    const rings = await layers.run({ [input!]: await abalones(50) });
    expectClose(rings[layers.outputs[0]!]!, outputs!.slice(0, 50));

    const graph = await engine.load(await pack("tfjs-examples-prefetch-graphmodel"));
    expect(graph.inputs.toSorted()).toEqual(["cur_page", "session_index"]);
    const { inputs, output } = await expectedOf("tfjs-examples-prefetch-graphmodel");
    const feeds = Object.fromEntries(
      graph.inputPorts.map(({ name, dtype, shape }) => {
        const values = inputs![name]!;
        const data = dtype === "int32" ? Int32Array.from(values) : Float32Array.from(values);
        return [name, tensor(dtype, [values.length, ...shape.slice(1).map(() => 1)], data)];
      }),
    );
    const pages = await graph.run(feeds);
    expectClose(pages[graph.outputs[0]!]!, output!.flat());
    await engine.close();
  });

  test("come apart into a graph and float32 parameters, and together again", async () => {
    const bytes = await pack("nnv-mnist");
    expect(isTfjsArtifact(bytes)).toBe(true);
    const { graph, parameters } = splitTfjs(bytes);
    expect(graph.length).toBeLessThan(8_000);
    expect(parameters.schema.map(({ shape }) => shape)).toEqual([[784, 64], [64], [64, 10], [10]]);
    expect(bindTfjs(graph, parameters)).toEqual(bytes);
    expect(() => bindTfjs(graph, { ...parameters, schema: parameters.schema.slice(1) })).toThrow(
      expect.objectContaining({ code: "tensor/schema-mismatch" }),
    );
    const { model } = readTfjsArtifact(bytes);
    expect([model.inputs, model.outputs]).toEqual([
      [{ name: "nnv_Input", dtype: "float32", shape: [-1, 28, 28, 1] }],
      [{ name: "nnv_Output", dtype: "float32", shape: [-1, 10] }],
    ]);
  });
});

test("other files are none, and are refused with a code", async () => {
  const engine = await createTfjsEngine();
  const artifact = SUITE_MODELS.increment;
  expect([isTfjsArtifact(artifact), isTfjsArtifact(new Uint8Array(40))]).toEqual([true, false]);
  const withoutWeights = splitTfjs(SUITE_MODELS.step).graph;
  expect(readTfjsArtifact(withoutWeights).weights.size).toBe(0);
  expect(() => readTfjsArtifact(new Uint8Array(3))).toThrow(
    expect.objectContaining({ code: "safetensors/truncated" }),
  );
  await expect(
    packTfjs({ modelJson: new TextEncoder().encode("{}"), read: async () => new Uint8Array(0) }),
  ).rejects.toMatchObject({ code: "engine/invalid-artifact" });
  await engine.close();
});
