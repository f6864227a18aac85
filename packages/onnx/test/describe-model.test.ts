import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { buildFedAvgCnn, describeModel } from "../src/index.ts";
import { dataCases, dataFolder } from "./support/data.ts";

const models = dataFolder("onnx-models");

describe("describeModel", () => {
  test("of the FedAvg CNN", () => {
    const description = describeModel(buildFedAvgCnn({ seed: 1 }));
    expect(description).toMatchObject({
      opset: 17,
      inputs: [{ name: "image", elementType: "float32", shape: ["batch", 1, 28, 28] }],
      outputs: [{ name: "logits", elementType: "float32", shape: ["batch", 10] }],
      parameterCount: 1_663_370,
      ops: { Relu: 3, Conv: 2, Gemm: 2, MaxPool: 2, Flatten: 1 },
      trainable: true,
      reasons: [],
    });
    expect(description.parameters[0]).toEqual({
      name: "conv1.weight",
      elementType: "float32",
      shape: [32, 1, 5, 5],
      count: 800,
    });
  });

  test.skipIf(models === undefined)(
    "says for every published model whether it can be trained, or why not",
    () => {
      const of = (name: string) => describeModel(readFileSync(join(models!, name, "model.onnx")));
      const trainable = dataCases(models).filter((name) => {
        const { trainable: can, reasons } = of(name);
        expect(reasons.length === 0, name).toBe(can);
        return can;
      });
      expect(trainable).toEqual([
        "cntk-mnist-8",
        "keras2onnx-helloworld",
        "keras2onnx-xor-lesson9",
        "light-resnet50",
        "light-shufflenet",
        "light-vgg19",
        "pytorch-cnn-mnist",
        "pytorch-cnn-mnist-float-opset13",
        "pytorch-mlp-bn-mnist",
        "tf2onnx-nhwc-conv",
      ]);
      expect(of("pytorch-mlp-bn-mnist").reasons).toEqual([]);
      expect(of("keras2onnx-xor-lesson9").loss).toBe("sigmoid-cross-entropy");
      expect(of("tf2onnx-nhwc-conv").loss).toBe("mse");
      expect(of("keras2onnx-helloworld").loss).toBe("mse");
      expect(of("skl2onnx-random-forest").reasons[0]).toContain("no float32 parameters");
    },
  );
});
