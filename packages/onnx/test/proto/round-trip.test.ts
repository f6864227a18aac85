import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { tensorFromProto } from "../../src/ir/tensor-value.ts";
import { decodeModel, encodeModel } from "../../src/index.ts";
import { readMessage } from "../../src/proto/message.ts";
import { TensorSpec } from "../../src/proto/onnx-messages.ts";
import { dataCases, dataFolder } from "../support/data.ts";
import { floatsOf, ortNode } from "../support/engines.ts";

const models = dataFolder("onnx-models");
const nodeTests = dataFolder("onnx-node-tests");

describe.skipIf(models === undefined)("published models", () => {
  test.each(dataCases(models))("%s comes back the same", (name) => {
    const bytes = readFileSync(join(models!, name, "model.onnx"));
    const model = decodeModel(bytes);
    const again = encodeModel(model);
    expect(decodeModel(again)).toEqual(model);
    expect(encodeModel(decodeModel(again))).toEqual(again);
  });

  test.each([
    "cntk-mnist-8",
    "keras2onnx-helloworld",
    "pytorch-cnn-mnist",
    "ort-conv-qdq-s8s8",
    "tf2onnx-nhwc-conv",
  ])("%s still gives its published output", async (name) => {
    const folder = join(models!, name);
    const tensor = (file: string) =>
      tensorFromProto(readMessage(TensorSpec, readFileSync(join(folder, "test_data_set_0", file))));
    const floats = (value: { data: Uint8Array }) => new Float32Array(new Uint8Array(value.data).buffer);
    const engine = await ortNode();
    const model = decodeModel(readFileSync(join(folder, "model.onnx")));
    const session = await engine.load(encodeModel(model));
    const input = tensor("input_0.pb");
    const outputs = await session.run({
      [session.inputNames[0]!]: new engine.Tensor("float32", floats(input), input.dims),
    });
    await session.release();
    const expected = floats(tensor("output_0.pb"));
    const got = floatsOf(outputs[session.outputNames[0]!]);
    const scale = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 1);
    for (const [i, value] of expected.entries()) {
      expect(Math.abs(got[i]! - value) / scale).toBeLessThan(1e-4);
    }
  });
});

describe.skipIf(nodeTests === undefined)("ONNX operator tests", () => {
  test.each(["node", "node-newer", "pytorch-converted", "pytorch-operator", "simple"])(
    "every model of %s comes back the same",
    (group) => {
      const folder = join(nodeTests!, group);
      const cases = dataCases(folder).filter((name) => existsSync(join(folder, name, "model.onnx")));
      expect(cases.length).toBeGreaterThan(0);
      for (const name of cases) {
        const model = decodeModel(readFileSync(join(folder, name, "model.onnx")));
        const again = encodeModel(model);
        expect(decodeModel(again), name).toEqual(model);
      }
    },
  );
});
