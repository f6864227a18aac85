import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parameterSet, parameterView } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import {
  buildEvaluationGraph,
  buildTrainingGraph,
  decodeModel,
  encodeModel,
  splitWeights,
} from "../../src/index.ts";
import { tensorFromProto } from "../../src/ir/tensor-value.ts";
import { readMessage } from "../../src/proto/message.ts";
import { TensorSpec } from "../../src/proto/onnx-messages.ts";
import { dataFolder } from "../support/data.ts";
import { floatsOf, ortNode } from "../support/engines.ts";
import { feedsOf, type Batch } from "../support/training.ts";

const folder = dataFolder("training-oracles/ort-training-api");

/** The classifier inside onnxruntime's own eval model, with the parameters of its checkpoint. */
function classifier(): Uint8Array {
  const evaluation = decodeModel(readFileSync(join(folder!, "eval_model.onnx")));
  const names = ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"];
  const { graph } = evaluation;
  return encodeModel({
    ...evaluation,
    graph: {
      ...graph,
      nodes: graph.nodes.filter(({ opType }) => opType !== "SoftmaxCrossEntropyLoss"),
      initializers: names.map((name) => ({
        ...tensorFromProto(readMessage(TensorSpec, readFileSync(join(folder!, "params", `${name}.pb`)))),
        name,
      })),
      inputs: [{ name: "input-0", elementType: "float32", shape: ["batch", 784] }],
      outputs: [{ name: "output-0", elementType: "float32", shape: ["batch", 10] }],
    },
  });
}

describe.skipIf(folder === undefined)("onnxruntime's training test data", () => {
  test("loss before a step and after one step of its AdamW", async () => {
    const { expected, tolerance } = JSON.parse(readFileSync(join(folder!, "oracle.json"), "utf8")) as {
      expected: { loss_before_step: number; loss_after_one_optimizer_step: number };
      tolerance: number;
    };
    const text = readFileSync(join(folder!, "input-0.in"), "utf8");
    const numbers = JSON.parse(text.slice(text.indexOf("["))) as number[];
    const batch: Batch = {
      features: Float32Array.from(numbers),
      labels: Int32Array.of(1, 1),
      weights: Float32Array.of(1, 1),
    };
    const model = classifier();
    const { parameters } = splitWeights(model);
    const engine = await ortNode();
    const loss = "softmax-cross-entropy";
    // transformers.AdamW adds its epsilon of 1e-6 before the bias correction; in the first step that is PyTorch's Adam with:
    const epsilon = 1e-6 / Math.sqrt(1 - 0.999);
    const training = buildTrainingGraph(model, {
      batchSize: 2,
      loss,
      optimizer: { kind: "adam", epsilon },
      target: "cpu",
    });
    const evaluation = buildEvaluationGraph(model, { batchSize: 2, loss });
    const [train, evaluate] = [await engine.load(training.model), await engine.load(evaluation.model)];
    const { spec } = training;
    const feeds = feedsOf(engine, spec, batch, parameters, 1e-3);
    for (const { input, shape } of spec.state ?? []) {
      const length = shape.reduce((product, size) => product * size, 1);
      feeds[input] = new engine.Tensor("float32", new Float32Array(length), shape);
    }
    const outputs = await train.run(feeds);
    expect(Math.abs(floatsOf(outputs[spec.lossSum])[0]! / 2 - expected.loss_before_step)).toBeLessThan(1e-6);

    const stepped = parameterSet(parameters.schema);
    for (const { name, output } of spec.parameters) {
      parameterView(stepped, name).set(floatsOf(outputs[output]));
    }
    const after = await evaluate.run(feedsOf(engine, evaluation.spec, batch, stepped));
    await train.release();
    await evaluate.release();
    const lossAfter = floatsOf(after[evaluation.spec.lossSum])[0]! / 2;
    expect(Math.abs(lossAfter - expected.loss_after_one_optimizer_step)).toBeLessThan(tolerance);
  });
});
