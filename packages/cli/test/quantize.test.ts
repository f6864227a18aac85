import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildDigitsCnn, decodeModel } from "@tributary/onnx";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterAll, expect, test } from "vitest";
import { runMain } from "./run-main.ts";

const folder = mkdtempSync(join(tmpdir(), "tributary-quantize-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const tributary = async (...args: string[]): Promise<string> => (await runMain(...args)).stdout;

test("quantizes with calibration examples and tells size and error", async () => {
  const model = buildDigitsCnn({ seed: "cli" });
  writeFileSync(at("model.onnx"), model);
  const images = Float32Array.from({ length: 8 * 784 }, (_, i) => (i % 17) / 17);
  writeFileSync(
    at("examples.safetensors"),
    writeSafetensors([
      ["images", tensor("float32", [8, 1, 28, 28], images)],
      ["labels", tensor("int32", [8], new Int32Array(8))],
    ]),
  );
  const common = ["quantize", at("model.onnx"), "-o", at("small.onnx"), "--json"];
  const text = await tributary(...common, "--calibration", at("examples.safetensors"));
  const report = JSON.parse(text) as {
    scheme: string;
    bytes: number;
    originalBytes: number;
    comparison: { relativeError: number; rows: number };
  };
  expect(report.scheme).toBe("int8-static");
  expect(report.originalBytes).toBe(model.length);
  expect(report.bytes).toBe(readFileSync(at("small.onnx")).length);
  expect(report.comparison.rows).toBe(8);
  expect(report.comparison.relativeError).toBeLessThan(0.05);
  expect(decodeModel(readFileSync(at("small.onnx"))).graph.inputs).toEqual(decodeModel(model).graph.inputs);

  const bare = JSON.parse(await tributary(...common)) as { scheme: string; comparison: unknown };
  expect(bare).toMatchObject({ scheme: "int8-weights", comparison: null });
  expect(await runMain(...common, "--scheme", "int8-static")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("onnx/needs-calibration") as string,
  });
});
