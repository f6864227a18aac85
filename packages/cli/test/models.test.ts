import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build2nn, buildDigitsCnn, decodeModel, encodeModel, writeModel, type Model } from "@tributary/onnx";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterAll, describe, expect, test } from "vitest";
import { runMain } from "./run-main.ts";
import { tributary } from "./tributary-process.ts";

const folder = mkdtempSync(join(tmpdir(), "tributary-models-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

const cnn = buildDigitsCnn({ seed: "cli" });
writeFileSync(at("cnn.onnx"), cnn);
const examples = (seed: number, count: number): Uint8Array =>
  writeSafetensors([
    [
      "images",
      tensor(
        "float32",
        [count, 1, 28, 28],
        Float32Array.from({ length: count * 784 }, (_, i) => ((i * seed) % 17) / 17),
      ),
    ],
  ]);
writeFileSync(at("here.safetensors"), examples(3, 4));
writeFileSync(at("there.safetensors"), examples(5, 4));

/** The 2NN with its nodes changed. */
function changed(change: (graph: Model["graph"]) => Partial<Model["graph"]>): Uint8Array {
  const model = decodeModel(build2nn({ seed: 1 }));
  return encodeModel({ ...model, graph: { ...model.graph, ...change(model.graph) } });
}

describe("describe", () => {
  test("prints ports, operators and parameters as tables, as a process", async () => {
    const { stdout } = await tributary("describe", at("cnn.onnx"));
    expect(stdout).toMatch(/^trainable {3}yes, with softmax-cross-entropy$/m);
    expect(stdout).toMatch(/^port {4}name {4}dtype {4}shape$/m);
    expect(stdout).toMatch(/^input {3}image {3}float32 {2}\[batch,1,28,28\]$/m);
    expect(stdout).toMatch(/^operator +nodes +FLOPs$/m);
    expect(stdout).toMatch(/^parameter +dtype +shape +elements +trainable$/m);
    expect(stdout).toMatch(/^conv1\.weight +float32 +\[\d+,1,\d,\d\] +\d+ +yes$/m);
  }, 60_000);

  test("trains one number a row with mse, or with the loss that is named", async () => {
    const regression = changed(({ nodes, initializers }) => ({
      nodes: nodes.map((node, i) =>
        i === nodes.length - 1 ? { ...node, inputs: [node.inputs[0]!, "w", "b"] } : node,
      ),
      initializers: [
        ...initializers.filter(({ name }) => !name.startsWith("fc3")),
        { name: "w", elementType: "float32", dims: [1, 200], data: new Uint8Array(800) },
        { name: "b", elementType: "float32", dims: [1], data: new Uint8Array(4) },
      ],
      outputs: [{ name: "logits", elementType: "float32", shape: ["batch", 1] }],
    }));
    writeFileSync(at("regression.onnx"), regression);
    const of = async (...args: string[]) =>
      JSON.parse((await runMain("describe", at("regression.onnx"), "--json", ...args)).stdout) as object;
    expect(await of()).toMatchObject({ trainable: true, loss: "mse", reasons: [] });
    expect(await of("--loss", "huber")).toMatchObject({ trainable: true, loss: "huber" });
    expect(await of("--loss", "softmax-cross-entropy")).toMatchObject({ trainable: false });
  });

  test("names the node that stops training and what to do", async () => {
    const relu = ({ nodes }: Model["graph"]) => ({
      nodes: nodes.map((node) =>
        node.opType === "Relu" ? { ...node, name: "act", opType: "Hardmax" } : node,
      ),
    });
    writeFileSync(at("hardmax.onnx"), changed(relu));
    const { stdout } = await runMain("describe", at("hardmax.onnx"));
    expect(stdout).toMatch(/^trainable {3}no: Hardmax has no gradient rule$/m);
    expect(stdout).toMatch(/^stopped by {2}Hardmax "act": train only what lies behind it: /m);
  });
});

describe("external data", () => {
  mkdirSync(at("split"));
  const { model, externalData } = writeModel(decodeModel(cnn), { externalData: { location: "cnn.data" } });
  writeFileSync(at("split/cnn.onnx"), model);

  test("is read from the model's folder, and only from there", async () => {
    writeFileSync(at("cnn.data"), Buffer.concat(externalData));
    expect(await runMain("describe", at("split/cnn.onnx"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("cnn.data cannot be read") as string,
    });
    symlinkSync(at("cnn.data"), at("split/cnn.data"));
    expect(await runMain("describe", at("split/cnn.onnx"))).toMatchObject({
      stderr: expect.stringContaining("link out of the model's folder") as string,
    });
    rmSync(at("split/cnn.data"));
    writeFileSync(at("split/cnn.data"), Buffer.concat(externalData));
    const described = (file: string) =>
      tributary("describe", at(file), "--json").then(({ stdout }) => stdout);
    expect(await described("split/cnn.onnx")).toBe(await described("cnn.onnx"));
  });

  test("is written by quantize where asked for", async () => {
    const output = at("external.onnx");
    await runMain("quantize", at("cnn.onnx"), "-o", output, "--scheme", "float16", "--external-data");
    await runMain("quantize", at("cnn.onnx"), "-o", at("whole.onnx"), "--scheme", "float16");
    const [small, weights, whole] = [output, `${output}.data`, at("whole.onnx")].map((file) =>
      readFileSync(file),
    );
    expect(small!.length).toBeLessThan(0.2 * whole!.length);
    expect(weights!.length).toBeGreaterThan(0.8 * whole!.length);
  });
});

describe("quantize", () => {
  const run = (...args: string[]) =>
    runMain("quantize", at("cnn.onnx"), "-o", at("out.onnx"), "--json", ...args);
  const quantized = async (...args: string[]) => {
    const { stdout } = await run(...args);
    return JSON.parse(stdout) as { scheme: string; reason: string | null; weights: object[]; chain: object };
  };

  test("auto says why, and what the engine has to be told", async () => {
    expect(await quantized()).toMatchObject({
      scheme: "int8-weights",
      reason: expect.stringContaining("needs --calibration") as string,
      sessionConfig: { "session.disable_quant_qdq": "1" },
    });
    expect(await quantized("--engine", "ort-webgpu")).toMatchObject({
      scheme: "float16",
      reason: expect.stringContaining("convolutions dominate") as string,
    });
    const { stdout } = await runMain("quantize", at("cnn.onnx"), "-o", at("out.onnx"));
    expect(stdout).toMatch(/^why {13}int8-static would be /m);
  });

  test("histograms gathered in two places serve for a static model, percentile cuts them", async () => {
    for (const place of ["here", "there"]) {
      const [input, output] = [at(`${place}.safetensors`), at(`${place}.histograms`)];
      await runMain("histograms", at("cnn.onnx"), "--calibration", input, "-o", output);
    }
    const files = `${at("here.histograms")},${at("there.histograms")}`;
    const scales = async (...args: string[]) => {
      const made = await quantized("--histograms", files, "--save-scales", at("scales.json"), ...args);
      expect(made.scheme).toBe("int8-static");
      return readFileSync(at("scales.json"), "utf8");
    };
    const whole = await scales();
    expect(await scales("--method", "percentile", "--percentile", "90")).not.toBe(whole);
    expect(await run("--histograms", at("here.safetensors"))).toMatchObject({
      stderr: expect.stringContaining("is no histogram") as string,
    });
  });

  test("frozen scales give the same bytes again, and their scheme", async () => {
    const settings = [
      "--scheme",
      "int8-weights",
      "--per-channel",
      "--asymmetric",
      "--exclude",
      "conv1.weight",
    ];
    const first = await quantized(...settings, "--save-scales", at("frozen.json"));
    const bytes = readFileSync(at("out.onnx"));
    expect(first.weights).not.toContainEqual(expect.objectContaining({ name: "conv1.weight" }));
    const flags = ["--frozen-scales", at("frozen.json"), "--asymmetric", "--exclude", "conv1.weight"];
    expect(await quantized(...flags)).toMatchObject({
      scheme: "int8-weights",
      chain: { startNewChain: false },
    });
    expect(readFileSync(at("out.onnx"))).toEqual(bytes);
    writeFileSync(at("broken.json"), '{"scheme":"int8-weights","weights":{"w":{"scales":[0]}}}');
    expect(await run("--frozen-scales", at("broken.json"))).toMatchObject({
      stderr: expect.stringContaining('"w" has no scales') as string,
    });
  });

  test.each([
    [["--symmetric", "--asymmetric"], "cannot be used with"],
    [["--percentile", "40"], "above 50"],
    [["--scheme", "int4-weights", "--no-per-channel"], "blocks of 32"],
  ])("%j is refused", async (flags, text) => {
    expect(await run(...flags)).toMatchObject({
      stderr: expect.stringContaining(text) as string,
    });
  });
});
