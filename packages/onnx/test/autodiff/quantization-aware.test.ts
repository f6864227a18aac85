import { describe, expect, test } from "vitest";
import { buildTrainingGraph, decodeModel, encodeModel, type TensorValue } from "../../src/index.ts";
import { floatTensor, floatValues } from "../../src/ir/tensor-value.ts";
import { floatsOf, ortNode } from "../support/engines.ts";
import { modelOf, nodeOf, rows } from "../support/small-model.ts";

const [BATCH, INPUTS, HIDDEN, CLASSES] = [3, 4, 5, 3];
const OPTIONS = {
  batchSize: BATCH,
  loss: "softmax-cross-entropy",
  optimizer: "none",
  target: "cpu",
} as const;
const STEP = 0.01;
const SCALES = [0.002, 0.003, 0.02];

const integers = (name: string, values: readonly number[], elementType: "int8" | "uint8"): TensorValue => ({
  name,
  elementType,
  dims: values.length === 1 ? [] : [values.length],
  data: new Uint8Array(Int8Array.from(values).buffer),
});

/** logits = Q(x·W1)·Q(W2): uint8 activations with a zero point, int8 weights with a scale per column. */
function model(): Uint8Array {
  const plain = decodeModel(
    modelOf({
      input: [INPUTS],
      output: [CLASSES],
      nodes: [
        nodeOf("MatMul", ["x", "first"], ["hidden"]),
        nodeOf("QuantizeLinear", ["hidden", "step", "zero"], ["hidden.q"]),
        nodeOf("DequantizeLinear", ["hidden.q", "step", "zero"], ["hidden.dq"]),
        nodeOf("QuantizeLinear", ["last", "scales", "zeros"], ["last.q"], { axis: 1 }),
        nodeOf("DequantizeLinear", ["last.q", "scales", "zeros"], ["last.dq"], { axis: 1 }),
        nodeOf("MatMul", ["hidden.dq", "last.dq"], ["logits"]),
      ],
      weights: { first: [INPUTS, HIDDEN], last: [HIDDEN, CLASSES] },
    }),
  );
  const added = [
    floatTensor("step", [], [STEP]),
    integers("zero", [100], "uint8"),
    floatTensor("scales", [CLASSES], SCALES),
    integers("zeros", [0, 0, 0], "int8"),
  ];
  return encodeModel({
    ...plain,
    graph: { ...plain.graph, initializers: [...plain.graph.initializers, ...added] },
  });
}

/** The number a value stands for after rounding to steps within [low, high], and whether it was inside. */
function rounded(value: number, scale: number, zero: number, low: number, high: number): [number, boolean] {
  const place = Math.round(value / scale) + zero;
  const cut = Math.min(Math.max(place, low), high);
  return [(cut - zero) * scale, cut === place];
}

describe("models with QuantizeLinear and DequantizeLinear", () => {
  test("train by the straight-through estimate, within the range only", async () => {
    const engine = await ortNode();
    const bytes = model();
    const { model: graph, spec } = buildTrainingGraph(bytes, OPTIONS);
    expect(spec.parameters.map(({ name }) => name)).toEqual(["first", "last"]);
    const [first, last] = ["first", "last"].map((name) =>
      floatValues(decodeModel(bytes).graph.initializers.find((tensor) => tensor.name === name)!),
    ) as [Float32Array, Float32Array];
    const x = rows(BATCH, INPUTS, "quantized").map((value) => value * 2);
    const labels = Int32Array.of(0, 2, 1);
    const session = await engine.load(graph);
    const { Tensor } = engine;
    const outputs = await session.run({
      x: new Tensor("float32", x, [BATCH, INPUTS]),
      [spec.labels.name]: new Tensor("int32", labels, [BATCH]),
      [spec.sampleWeights.name]: new Tensor("float32", new Float32Array(BATCH).fill(1), [BATCH]),
      [spec.learningRate.name]: new Tensor("float32", Float32Array.of(0), []),
      first: new Tensor("float32", first, [INPUTS, HIDDEN]),
      last: new Tensor("float32", last, [HIDDEN, CLASSES]),
    });
    await session.release();

    const weight = Array.from(last, (value, i) => rounded(value, SCALES[i % CLASSES]!, 0, -128, 127));
    const hidden = Array.from({ length: BATCH * HIDDEN }, (_, at) => {
      let sum = 0;
      for (let i = 0; i < INPUTS; i += 1) {
        sum += x[Math.floor(at / HIDDEN) * INPUTS + i]! * first[i * HIDDEN + (at % HIDDEN)]!;
      }
      return rounded(sum, STEP, 100, 0, 255);
    });
    // Both happen, or the test would show nothing.
    for (const values of [weight, hidden]) expect(new Set(values.map(([, inside]) => inside)).size).toBe(2);
    const errors = Array.from({ length: BATCH }, (_, row) => {
      const scores = Array.from({ length: CLASSES }, (__, c) => {
        let sum = 0;
        for (let k = 0; k < HIDDEN; k += 1) sum += hidden[row * HIDDEN + k]![0] * weight[k * CLASSES + c]![0];
        return Math.exp(sum);
      });
      const total = scores.reduce((a, b) => a + b, 0);
      return scores.map((score, c) => (score / total - (labels[row] === c ? 1 : 0)) / BATCH);
    });
    const gradients = {
      last: Array.from(last, (_, at) => {
        const [k, c] = [Math.floor(at / CLASSES), at % CLASSES];
        const sum = errors.reduce((all, error, row) => all + hidden[row * HIDDEN + k]![0] * error[c]!, 0);
        return weight[at]![1] ? sum : 0;
      }),
      first: Array.from(first, (_, at) => {
        const [i, k] = [Math.floor(at / HIDDEN), at % HIDDEN];
        return errors.reduce((all, error, row) => {
          const [, inside] = hidden[row * HIDDEN + k]!;
          const back = error.reduce((sum, value, c) => sum + value * weight[k * CLASSES + c]![0], 0);
          return all + (inside ? back * x[row * INPUTS + i]! : 0);
        }, 0);
      }),
    };
    for (const { name, output } of spec.parameters) {
      const expected = gradients[name as "first" | "last"];
      for (const [i, value] of floatsOf(outputs[output]).entries()) {
        expect(Math.abs(value - expected[i]!), `${name} ${i}`).toBeLessThan(1e-5);
      }
    }
  });

  /** The weight of the last layer as integers already. */
  function frozen(): Uint8Array {
    const { graph, ...rest } = decodeModel(model());
    const data = Int8Array.from({ length: HIDDEN * CLASSES }, (_, i) => (i % 7) - 3);
    return encodeModel({
      ...rest,
      graph: {
        ...graph,
        nodes: graph.nodes.filter(({ outputs }) => outputs[0] !== "last.q"),
        initializers: [
          ...graph.initializers.filter(({ name }) => name !== "last"),
          { name: "last.q", elementType: "int8", dims: [HIDDEN, CLASSES], data: new Uint8Array(data.buffer) },
        ],
      },
    });
  }

  test("are refused where a weight is integers already, with the reason; the float ones may be named", () => {
    expect(() => buildTrainingGraph(frozen(), OPTIONS)).toThrowError(
      expect.objectContaining({
        code: "onnx/nothing-trainable",
        message: expect.stringMatching(/"last\.q".*int8.*float model/u),
      }),
    );
    const { spec } = buildTrainingGraph(frozen(), { ...OPTIONS, trainable: ["first"] });
    expect(spec.parameters.map(({ name }) => name)).toEqual(["first"]);
    expect(() => buildTrainingGraph(frozen(), { ...OPTIONS, trainable: ["last.q"] })).toThrowError(
      expect.objectContaining({ code: "onnx/nothing-trainable" }),
    );
  });
});
