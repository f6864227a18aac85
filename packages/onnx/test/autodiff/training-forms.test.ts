import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parameterView } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import {
  bindWeights,
  buildEvaluationGraph,
  buildTrainingGraph,
  decodeModel,
  encodeModel,
  splitWeights,
  type Node,
  type OptimizerName,
  type TrainingGraphSpec,
} from "../../src/index.ts";
import { trainingForms } from "../../src/autodiff/training-forms.ts";
import { sortNodes } from "../../src/ir/graph-order.ts";
import { inferShapes } from "../../src/ir/shapes.ts";
import { floatValues, int64Tensor, integerValues } from "../../src/ir/tensor-value.ts";
import { dataSets, filesOf, readTensor } from "../support/backend.ts";
import { array64 } from "../support/array64.ts";
import { dataFolder } from "../support/data.ts";
import { floatsOf, ortNode, type Feeds, type TestEngine } from "../support/engines.ts";
import { interpret } from "../support/reference.ts";
import { modelOf, nodeOf, rows } from "../support/small-model.ts";

const [BATCH, INPUTS, WIDTH, CLASSES] = [5, 4, 3, 3];
const OPTIONS = { batchSize: BATCH, loss: "softmax-cross-entropy", target: "cpu" } as const;
const STATISTICS = ["mean", "variance"];
const WEIGHTS = ["first", "scale", "shift", "last"];

/** A layer, normalized by the batch with momentum 0.8, a Sigmoid and another layer. */
function normalized(mode: 0 | 1, extra: readonly Node[] = []): Uint8Array {
  const [hidden = "active"] = extra.at(-1)?.outputs ?? [];
  const model = decodeModel(
    modelOf({
      input: [INPUTS],
      output: [CLASSES],
      nodes: [
        nodeOf("MatMul", ["x", "first"], ["hidden"]),
        nodeOf(
          "BatchNormalization",
          ["hidden", "scale", "shift", "mean", "variance"],
          mode === 1 ? ["normal", "newMean", "newVariance"] : ["normal"],
          { momentum: { float: 0.8 }, ...(mode === 1 ? { training_mode: 1 } : {}) },
        ),
        nodeOf("Sigmoid", ["normal"], ["active"]),
        ...extra,
        nodeOf("MatMul", [hidden, "last"], ["logits"]),
      ],
      weights: {
        first: [INPUTS, WIDTH],
        scale: [WIDTH],
        shift: [WIDTH],
        mean: [WIDTH],
        variance: [WIDTH],
        last: [WIDTH, CLASSES],
      },
    }),
  );
  // A variance is not negative.
  const initializers = model.graph.initializers.map((tensor) => {
    if (tensor.name !== "variance") return tensor;
    const data = floatValues(tensor).map((value) => 0.5 + value * value);
    return { ...tensor, data: new Uint8Array(data.buffer) };
  });
  return encodeModel({ ...model, graph: { ...model.graph, initializers } });
}

const labels = Int32Array.from({ length: BATCH }, (_, i) => (2 * i) % CLASSES);
const features = rows(BATCH, INPUTS, "forms");
/** The last example is padding, and looks like no other. */
const weights = Float32Array.of(1, 0.5, 2, 1, 0);

interface Layer {
  readonly loss: number;
  readonly mean: readonly number[];
  readonly variance: readonly number[];
}

/** The same in float64: weighted mean loss, and the running statistics afterwards. */
function reference(values: ReadonlyMap<string, ArrayLike<number>>): Layer {
  const shown = [0, 1, 2, 3];
  const get = (name: string, i: number): number => values.get(name)![i]!;
  const dot = (row: number, k: number): number => {
    let sum = 0;
    for (let i = 0; i < INPUTS; i += 1) sum += features[row * INPUTS + i]! * get("first", i * WIDTH + k);
    return sum;
  };
  const units = Array.from({ length: WIDTH }, (_, k) => {
    const column = shown.map((row) => dot(row, k));
    const mean = column.reduce((sum, value) => sum + value, 0) / shown.length;
    const variance = column.reduce((sum, value) => sum + (value - mean) ** 2, 0) / shown.length;
    return { column, mean, variance };
  });
  const active = shown.map((row) =>
    units.map(({ column, mean, variance }, k) => {
      const normal = (column[row]! - mean) / Math.sqrt(variance + 1e-5);
      return 1 / (1 + Math.exp(-(normal * get("scale", k) + get("shift", k))));
    }),
  );
  let [loss, total] = [0, 0];
  for (const row of shown) {
    const scores = Array.from({ length: CLASSES }, (_, c) =>
      active[row]!.reduce((sum, value, k) => sum + value * get("last", k * CLASSES + c), 0),
    );
    const exponentials = scores.reduce((sum, score) => sum + Math.exp(score), 0);
    loss += weights[row]! * (Math.log(exponentials) - scores[labels[row]!]!);
    total += weights[row]!;
  }
  const moved = (name: string, now: (unit: (typeof units)[number]) => number): number[] =>
    units.map((unit, k) => 0.8 * get(name, k) + 0.2 * now(unit));
  return {
    loss: loss / total,
    mean: moved("mean", (unit) => unit.mean),
    variance: moved("variance", (unit) => unit.variance),
  };
}

function feedsOf(
  engine: TestEngine,
  spec: Pick<TrainingGraphSpec, "inputs" | "labels" | "sampleWeights"> & {
    readonly parameters: readonly {
      readonly name: string;
      readonly input: string;
      readonly shape: readonly number[];
    }[];
  },
  values: ReadonlyMap<string, Float32Array>,
  times = 1,
): Feeds {
  const { Tensor } = engine;
  const again = (list: Float32Array): Float32Array =>
    Float32Array.from({ length: times * list.length }, (_, i) => list[i % list.length]!);
  return {
    [spec.inputs[0]!.name]: new Tensor("float32", again(features), spec.inputs[0]!.shape),
    [spec.labels.name]: new Tensor(
      "int32",
      Int32Array.from({ length: times * BATCH }, (_, i) => labels[i % BATCH]!),
      spec.labels.shape,
    ),
    [spec.sampleWeights.name]: new Tensor("float32", again(weights), spec.sampleWeights.shape),
    ...Object.fromEntries(
      spec.parameters.map(({ name, input, shape }) => [
        input,
        new Tensor("float32", values.get(name)!.slice(), shape),
      ]),
    ),
  };
}

const rate = (engine: TestEngine, spec: TrainingGraphSpec, value: number): Feeds => ({
  [spec.learningRate.name]: new engine.Tensor("float32", Float32Array.of(value), []),
});

function valuesOf(bytes: Uint8Array): Map<string, Float32Array> {
  const { initializers } = decodeModel(bytes).graph;
  return new Map(
    initializers.flatMap((tensor) =>
      tensor.elementType === "float32" ? [[tensor.name, floatValues(tensor)] as const] : [],
    ),
  );
}

describe("batch normalization in training mode", () => {
  const bytes = normalized(1);

  test("has its running statistics among the parameters, told apart", () => {
    const { spec } = buildTrainingGraph(bytes, { ...OPTIONS, optimizer: "adam" });
    expect(spec.parameters.filter(({ role }) => role === "statistic").map(({ name }) => name)).toEqual(
      STATISTICS,
    );
    expect(spec.parameters.filter(({ role }) => role === undefined).map(({ name }) => name)).toEqual(WEIGHTS);
    // Adam keeps two moments of each weight, none of a statistic.
    expect(
      (spec.state ?? []).filter(
        ({ name }) => /mean|variance/u.test(name) && !/first|scale|shift|last/u.test(name),
      ),
    ).toEqual([]);
    expect(splitWeights(bytes).parameters.schema.map(({ name }) => name)).toEqual(
      spec.parameters.map(({ name }) => name),
    );
  });

  test("loss, gradients and moved statistics are those of a float64 reference without the padding", async () => {
    const engine = await ortNode();
    const { model, spec } = buildTrainingGraph(bytes, { ...OPTIONS, optimizer: "none" });
    const values = valuesOf(bytes);
    const session = await engine.load(model);
    const outputs = await session.run({ ...feedsOf(engine, spec, values), ...rate(engine, spec, 0) });
    await session.release();
    const expected = reference(values);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    expect(Math.abs(floatsOf(outputs[spec.lossSum])[0]! / total - expected.loss)).toBeLessThan(1e-6);
    for (const { name, output, role } of spec.parameters) {
      const got = floatsOf(outputs[output]);
      for (const [i, value] of got.entries()) {
        if (role === "statistic") {
          expect(Math.abs(value - expected[name as "mean"][i]!), name).toBeLessThan(1e-6);
          continue;
        }
        const at = (by: number): number => {
          const there = Float64Array.from(values.get(name)!).map((v, k) => (k === i ? v + by : v));
          return reference(new Map<string, ArrayLike<number>>([...values, [name, there]])).loss;
        };
        expect(Math.abs(value - (at(1e-5) - at(-1e-5)) / 2e-5), `${name} ${i}`).toBeLessThan(1e-6);
      }
    }
  });

  test.each<OptimizerName>(["sgd", "momentum"])(
    "a loop with %s carries them as single steps do",
    async (optimizer) => {
      const engine = await ortNode();
      const options = { ...OPTIONS, optimizer, clipGradientNorm: 1, proximalTerm: 0.1 } as const;
      const values = valuesOf(bytes);
      const fixed = (spec: TrainingGraphSpec): Feeds => ({
        ...rate(engine, spec, 0.1),
        ...Object.fromEntries(
          (spec.baseParameters ?? []).map(({ name, shape }, i) => [
            name,
            new engine.Tensor("float32", values.get(spec.parameters[i]!.name)!, shape),
          ]),
        ),
        ...Object.fromEntries(
          (spec.state ?? []).map(({ input, shape }) => [
            input,
            new engine.Tensor("float32", new Float32Array(shape.reduce((a, b) => a * b, 1)), shape),
          ]),
        ),
      });
      const one = buildTrainingGraph(bytes, options);
      const session = await engine.load(one.model);
      const feeds = { ...fixed(one.spec), ...feedsOf(engine, one.spec, values) };
      for (let step = 0; step < 3; step += 1) {
        const outputs = await session.run(feeds);
        for (const { input, output } of [...one.spec.parameters, ...(one.spec.state ?? [])]) {
          feeds[input] = outputs[output]!;
        }
      }
      await session.release();
      const { model, spec } = buildTrainingGraph(bytes, { ...options, loopSteps: 3 });
      const looper = await engine.load(model);
      const outputs = await looper.run({
        ...fixed(spec),
        ...feedsOf(engine, spec, values, 3),
        [spec.loop!.steps.name]: new engine.Tensor("int64", BigInt64Array.of(3n), []),
      });
      await looper.release();
      for (const [i, { name, output }] of spec.parameters.entries()) {
        expect(floatsOf(outputs[output]), name).toEqual(floatsOf(feeds[one.spec.parameters[i]!.input]));
        expect(floatsOf(outputs[output]), name).not.toEqual(values.get(name));
      }
    },
  );

  test("evaluates and infers by the running statistics", async () => {
    const engine = await ortNode();
    const { graph, parameters } = splitWeights(bytes);
    const values = new Map(parameters.schema.map(({ name }) => [name, parameterView(parameters, name)]));
    const session = await engine.load(bindWeights(graph, parameters));
    const { logits } = await session.run({ x: new engine.Tensor("float32", features, [BATCH, INPUTS]) });
    await session.release();
    const { model, spec } = buildEvaluationGraph(bytes, OPTIONS);
    const evaluation = await engine.load(model);
    const outputs = await evaluation.run(feedsOf(engine, spec, values));
    await evaluation.release();
    const scores = floatsOf(logits);
    let loss = 0;
    for (const [row, label] of labels.entries()) {
      const mine = scores.subarray(row * CLASSES, (row + 1) * CLASSES);
      loss +=
        weights[row]! * (Math.log(mine.reduce((sum, score) => sum + Math.exp(score), 0)) - mine[label]!);
    }
    expect(Math.abs(floatsOf(outputs[spec.lossSum])[0]! - loss)).toBeLessThan(1e-5);
  });

  test("exported for inference they stay as they are, unless both are named", () => {
    const names = (trainable: "all" | readonly string[]): unknown[] =>
      buildTrainingGraph(normalized(0), { ...OPTIONS, optimizer: "sgd", trainable }).spec.parameters.map(
        ({ name, role }) => role ?? name,
      );
    expect(names("all")).toEqual(WEIGHTS);
    expect(names(["last", ...STATISTICS])).toEqual(["statistic", "statistic", "last"]);
    expect(() => names(["last", "mean"])).toThrowError(
      expect.objectContaining({ code: "onnx/nothing-trainable" }),
    );
  });

  const folder = dataFolder("onnx-node-tests/node");
  test.skipIf(folder === undefined).each(["example", "epsilon"])(
    "the published %s case comes out",
    (kind) => {
      const at = join(folder!, `test_batchnorm_${kind}_training_mode`);
      const { graph, ...rest } = decodeModel(readFileSync(join(at, "model.onnx")));
      const [dataSet] = dataSets(at);
      const inputs = filesOf(dataSet!, "input").map((file, i) => ({
        ...readTensor(file),
        name: graph.inputs[i]!.name,
      }));
      const [x, ...others] = inputs;
      const whole = {
        ...graph,
        inputs: graph.inputs.slice(0, 1),
        initializers: others,
        nodes: sortNodes(graph),
      };
      const facts = inferShapes({ ...rest, graph: whole }, { [x!.name]: x!.dims });
      const forms = trainingForms(whole, facts, {
        purpose: "train",
        batchSize: x!.dims[0]!,
        parameters: new Set(others.map(({ name }) => name)),
      });
      const values = new Map(
        [...inputs, ...forms.graph.initializers].map((tensor) => [
          tensor.name,
          array64(
            tensor.dims,
            tensor.elementType === "float32" ? floatValues(tensor) : integerValues(tensor)!,
          ),
        ]),
      );
      values.set("tributary.sampleWeights", array64([x!.dims[0]!], new Float64Array(x!.dims[0]!).fill(1)));
      const results = interpret(forms.graph.nodes, values);
      for (const [i, file] of filesOf(dataSet!, "output").entries()) {
        const expected = floatValues(readTensor(file));
        const got = results.get(graph.outputs[i]!.name)!.data;
        expect(got.length).toBe(expected.length);
        for (const [k, value] of expected.entries()) expect(Math.abs(got[k]! - value)).toBeLessThan(1e-5);
      }
    },
  );
});

/** A Dropout behind the Sigmoid. */
function dropped(mode: 0 | 1, ratio?: number): Uint8Array {
  const node = nodeOf("Dropout", ["active", ratio === undefined ? "" : "ratio", "mode"], ["kept"]);
  const model = decodeModel(normalized(0, [node]));
  const added = [
    { name: "mode", elementType: "bool", dims: [], data: Uint8Array.of(mode) } as const,
    {
      name: "ratio",
      elementType: "float32",
      dims: [],
      data: new Uint8Array(Float32Array.of(ratio ?? 0).buffer),
    } as const,
  ];
  return encodeModel({
    ...model,
    graph: { ...model.graph, initializers: [...model.graph.initializers, ...added] },
  });
}

describe("Dropout", () => {
  test("outside training mode lets everything pass", () => {
    const { spec } = buildTrainingGraph(dropped(0, 0.5), { ...OPTIONS, optimizer: "sgd" });
    expect(spec).toEqual(buildTrainingGraph(normalized(0), { ...OPTIONS, optimizer: "sgd" }).spec);
    expect(buildTrainingGraph(dropped(1, 0), { ...OPTIONS, optimizer: "sgd" }).spec.dropouts).toBeUndefined();
  });

  test("in training mode takes a mask: dropped values count for nothing, others for more", async () => {
    const engine = await ortNode();
    const bytes = dropped(1, 0.25);
    const { model, spec } = buildTrainingGraph(bytes, { ...OPTIONS, optimizer: "none" });
    const [mask] = spec.dropouts!;
    expect(spec.dropouts).toEqual([{ input: "tributary.dropout.kept", shape: [BATCH, WIDTH], ratio: 0.25 }]);
    const values = valuesOf(bytes);
    const keep = Float32Array.from({ length: BATCH * WIDTH }, (_, i) => (i % WIDTH === 1 ? 0 : 1));
    const session = await engine.load(model);
    const outputs = await session.run({
      ...feedsOf(engine, spec, values),
      ...rate(engine, spec, 0),
      [mask!.input]: new engine.Tensor("float32", keep, mask!.shape),
    });
    await session.release();
    const gradient = (name: string): Float32Array =>
      floatsOf(outputs[spec.parameters.find((parameter) => parameter.name === name)!.output]);
    // Unit 1 is dropped everywhere: nothing before or behind it learns.
    expect([...gradient("scale")].map((value) => value !== 0)).toEqual([true, false, true]);
    expect([...gradient("last")].map((value) => value !== 0)).toEqual(
      [1, 1, 1, 0, 0, 0, 1, 1, 1].map(Boolean),
    );
    // The others as in a layer without unit 1 whose last weights are 4/3 as large.
    const plain = buildTrainingGraph(normalized(0), { ...OPTIONS, optimizer: "none" });
    const scaled = values
      .get("last")!
      .map((value, i) => (Math.floor(i / CLASSES) === 1 ? 0 : (value * 4) / 3));
    const other = await engine.load(plain.model);
    const expected = await other.run({
      ...feedsOf(engine, plain.spec, new Map([...values, ["last", scaled]])),
      ...rate(engine, plain.spec, 0),
    });
    await other.release();
    expect(
      Math.abs(floatsOf(outputs[spec.lossSum])[0]! - floatsOf(expected[plain.spec.lossSum])[0]!),
    ).toBeLessThan(1e-5);
  });

  test("of a loop takes a mask for every step, and evaluation none", () => {
    const { spec } = buildTrainingGraph(dropped(1), { ...OPTIONS, optimizer: "sgd", loopSteps: 4 });
    expect(spec.dropouts).toEqual([
      { input: "tributary.loop.tributary.dropout.kept", shape: [4, BATCH, WIDTH], ratio: 0.5 },
    ]);
    const evaluation = buildEvaluationGraph(dropped(1), OPTIONS);
    const inputs = decodeModel(evaluation.model).graph.inputs.map(({ name }) => name);
    expect(inputs.filter((name) => name.includes("dropout"))).toEqual([]);
  });

  test("is refused where its mode is computed", () => {
    const { graph, ...rest } = decodeModel(dropped(1, 0.5));
    const nodes = [nodeOf("Equal", ["one", "one"], ["mode"]), ...graph.nodes];
    const initializers = [
      ...graph.initializers.filter(({ name }) => name !== "mode"),
      int64Tensor("one", [], [1]),
    ];
    const bytes = encodeModel({ ...rest, graph: { ...graph, nodes, initializers } });
    expect(() => buildTrainingGraph(bytes, { ...OPTIONS, optimizer: "sgd" })).toThrowError(
      expect.objectContaining({ code: "onnx/unsupported-attribute" }),
    );
  });
});
