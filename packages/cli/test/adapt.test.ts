import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build2nn, decodeModel, splitWeights } from "@tributary/onnx";
import { parameterSet, parametersToSafetensors } from "@tributary/tensor";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "tributary-adapt-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const main = join(import.meta.dirname, "../src/main.ts");

async function tributary(...args: string[]): Promise<string> {
  const run = `import(${JSON.stringify(main)}).then(({ main }) => main(process.argv));`;
  const options = ["--conditions=@tributary/source", "-e", run, "tributary", ...args];
  return (await promisify(execFile)(process.execPath, options)).stdout;
}

test("adds adapters to the weights named, and merges trained ones into a model like the first", async () => {
  const model = build2nn({ seed: "adapt" });
  writeFileSync(at("model.onnx"), model);
  const said = await tributary(
    "adapt",
    at("model.onnx"),
    "--rank",
    "2",
    "--target",
    "fc1.*",
    "fc3.weight",
    "-o",
    at("adapted.onnx"),
  );
  const { parameters } = splitWeights(readFileSync(at("adapted.onnx")));
  expect(parameters.schema.map(({ name }) => name)).toEqual(["fc1.weight.lora_b", "fc3.weight.lora_b"]);
  expect(said).toContain(`${parameters.values.length} numbers`);

  const trained = parameterSet(
    parameters.schema,
    parameters.values.map((_, i) => (i % 5) / 10),
  );
  writeFileSync(at("version.safetensors"), parametersToSafetensors(trained));
  await tributary(
    "adapt",
    at("adapted.onnx"),
    "--merge",
    "--weights",
    at("version.safetensors"),
    "-o",
    at("merged.onnx"),
  );
  const [before, after] = [decodeModel(model).graph, decodeModel(readFileSync(at("merged.onnx"))).graph];
  expect(after.nodes).toEqual(before.nodes);
  const changed = after.initializers.filter(
    ({ data }, i) => Buffer.compare(data, before.initializers[i]!.data) !== 0,
  );
  expect(changed.map(({ name }) => name)).toEqual(["fc1.weight", "fc3.weight"]);
});

test("a weight that is not there is answered with those that are", async () => {
  writeFileSync(at("model.onnx"), build2nn({ seed: "adapt" }));
  await expect(
    tributary("adapt", at("model.onnx"), "--target", "fc9.*", "-o", at("none.onnx")),
  ).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("fc1.weight") as string });
});
