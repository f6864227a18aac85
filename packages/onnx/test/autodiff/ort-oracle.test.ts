import { readFileSync } from "node:fs";
import { join } from "node:path";
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
import { gradientOf, PROBE_RATE } from "../support/whole-model.ts";

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
    const training = buildTrainingGraph(model, { batchSize: 2, loss, optimizer: "sgd", target: "cpu" });
    const evaluation = buildEvaluationGraph(model, { batchSize: 2, loss });
    const [train, evaluate] = [await engine.load(training.model), await engine.load(evaluation.model)];
    const { spec } = training;
    const outputs = await train.run(feedsOf(engine, spec, batch, parameters, PROBE_RATE));
    expect(Math.abs(floatsOf(outputs[spec.lossSum])[0]! / 2 - expected.loss_before_step)).toBeLessThan(1e-6);

    // transformers.AdamW, first step: m = (1-b1)g, v = (1-b2)g², w -= lr·√(1-b2)/(1-b1) · m/(√v + eps)
    const stepped = Float32Array.from(parameters.values);
    let offset = 0;
    for (const { name } of spec.parameters) {
      const size = parameters.schema.find((entry) => entry.name === name)!.shape.reduce((a, b) => a * b, 1);
      const before = stepped.subarray(offset, offset + size);
      const gradient = gradientOf(spec, name, before.slice(), outputs);
      const rate = (1e-3 * Math.sqrt(1 - 0.999)) / (1 - 0.9);
      for (const [i, g] of gradient.entries()) {
        before[i]! -= (rate * (1 - 0.9) * g) / (Math.sqrt((1 - 0.999) * g * g) + 1e-6);
      }
      offset += size;
    }
    const after = await evaluate.run(
      feedsOf(engine, evaluation.spec, batch, { schema: parameters.schema, values: stepped }),
    );
    await train.release();
    await evaluate.release();
    const lossAfter = floatsOf(after[evaluation.spec.lossSum])[0]! / 2;
    expect(Math.abs(lossAfter - expected.loss_after_one_optimizer_step)).toBeLessThan(tolerance);
  });
});
