import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { build2nn, buildFedAvgCnn, decodeModel, describeModel, encodeModel } from "../src/index.ts";
import { dataFolder } from "./support/data.ts";

const models = dataFolder("onnx-models");
const of = (name: string) => describeModel(readFileSync(join(models!, name, "model.onnx")));

describe("operations of one run", () => {
  test("of the 2NN and the FedAvg CNN, by hand", () => {
    const dense = 2 * (784 * 200 + 200 * 200 + 200 * 10);
    expect(describeModel(build2nn({ seed: 1 })).flops).toEqual({
      total: dense + 400,
      byOp: { Gemm: dense, Relu: 400 },
      uncounted: [],
    });
    expect(describeModel(buildFedAvgCnn({ seed: 1 })).flops!.byOp).toMatchObject({
      Conv: 2 * (28 * 28 * 32 * 25 + 14 * 14 * 64 * 32 * 25),
      Gemm: 2 * (3136 * 512 + 512 * 10),
    });
  });

  // Published figures: 4.1 and 19.6 thousand million multiply-adds.
  test.skipIf(models === undefined)("of ResNet-50 and VGG-19, as published", () => {
    expect(of("light-resnet50").flops!.total / 2e9).toBeCloseTo(4.1, 0);
    expect(of("light-vgg19").flops!.total / 2e9).toBeCloseTo(19.6, 0);
  });
});

describe("what can be trained", () => {
  /** The 2NN with the second of its three layers' activations replaced. */
  function with2ndActivation(opType: string, domain = ""): Uint8Array {
    const model = decodeModel(build2nn({ seed: 1 }));
    const relus = model.graph.nodes.filter((node) => node.opType === "Relu");
    const nodes = model.graph.nodes.map((node) =>
      node === relus[1] ? { ...node, name: "act2", opType, domain } : node,
    );
    return encodeModel({ ...model, graph: { ...model.graph, nodes } });
  }

  test("everything, where every operator has a gradient", () => {
    const { parameters, trainableParameters, obstacles } = describeModel(build2nn({ seed: 1 }));
    expect(trainableParameters).toEqual(parameters.map(({ name }) => name));
    expect(obstacles).toEqual([]);
  });

  test("only what lies behind a node without one, which is named with advice", () => {
    const { trainable, trainableParameters, obstacles } = describeModel(with2ndActivation("Hardmax"));
    expect(trainable).toBe(false);
    expect(trainableParameters).toEqual(["fc3.weight", "fc3.bias"]);
    expect(obstacles).toEqual([
      {
        node: 'Hardmax "act2"',
        op: "Hardmax",
        advice: "train only what lies behind it: fc3.weight, fc3.bias",
      },
    ]);
    const [fused] = describeModel(with2ndActivation("FusedRelu", "com.microsoft")).obstacles;
    expect(fused).toMatchObject({ op: "com.microsoft.FusedRelu" });
    expect(fused!.advice).toContain("onnxruntime's optimizer");
  });
});
