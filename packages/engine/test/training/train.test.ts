import { seededRandom } from "@tributary/core";
import type { Engine, Feeds, Session } from "@tributary/engine";
import { exampleRuns, type LabelledValues } from "@tributary/engine/batches";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import {
  buildLinear,
  buildTrainingGraph,
  createOptimizer,
  splitWeights,
  type OptimizerOptions,
  type TrainingGraphSpec,
} from "@tributary/onnx";
import { layoutOfParameters, type TrainingGraphDocument } from "@tributary/protocol";
import { parameterSet, parameterView, tensor, type ParameterSet } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  measureLoss,
  shuffledOrder,
  train,
  type TrainingPace,
  type TrainingState,
  type TrainRequest,
} from "@tributary/engine/training";

const model = buildLinear({ seed: 3 });
const { parameters } = splitWeights(model);
let engine: Engine;
let session: Session;
let spec: TrainingGraphDocument;

beforeAll(async () => {
  engine = await createOrtNodeEngine();
  const graph = buildTrainingGraph(model, {
    batchSize: 8,
    loss: "softmax-cross-entropy",
    optimizer: "sgd",
    target: "cpu",
  });
  session = await engine.load(graph.model);
  spec = graph.spec satisfies TrainingGraphSpec as TrainingGraphDocument;
});
afterAll(() => engine.close());

const random = seededRandom("examples");
const examples: LabelledValues[] = Array.from({ length: 21 }, (_, i) => ({
  inputs: [Float32Array.from({ length: 784 }, () => random.next())],
  label: i % 10,
}));

function request(changes: Partial<TrainRequest> = {}): TrainRequest {
  return {
    session,
    spec,
    layout: layoutOfParameters(parameters.schema),
    base: parameters,
    examples,
    epochs: 2,
    learningRate: 0.05,
    maxExamples: 1000,
    random: seededRandom("order"),
    ...changes,
  };
}

/** Softmax regression by hand in float64, in the same order of examples. */
function reference(base: ParameterSet, epochs: number, rate: number, offsets?: ParameterSet) {
  const [weightName, biasName] = base.schema.map(({ name }) => name) as [string, string];
  const w = Float64Array.from(parameterView(base, weightName));
  const b = Float64Array.from(parameterView(base, biasName));
  const order = seededRandom("order");
  const indices = shuffledOrder(examples.length, order);
  let lossSum = 0;
  let correct = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    lossSum = correct = 0;
    order.shuffle(indices);
    for (let start = 0; start < indices.length; start += 8) {
      const batch = indices.slice(start, start + 8);
      const dw = new Float64Array(w.length);
      const db = new Float64Array(10);
      for (const index of batch) {
        const { inputs, label } = examples[index]!;
        const features = inputs[0] as Float32Array;
        const logits = Array.from({ length: 10 }, (_, k) => {
          let sum = b[k]!;
          for (let j = 0; j < 784; j++) sum += w[k * 784 + j]! * features[j]!;
          return sum;
        });
        const max = Math.max(...logits);
        const exps = logits.map((z) => Math.exp(z - max));
        const total = exps.reduce((sum, e) => sum + e, 0);
        lossSum += Math.log(total) + max - logits[Number(label)]!;
        if (logits.indexOf(max) === Number(label)) correct += 1;
        for (let k = 0; k < 10; k++) {
          const d = (exps[k]! / total - (k === Number(label) ? 1 : 0)) / batch.length;
          db[k]! += d;
          for (let j = 0; j < 784; j++) dw[k * 784 + j]! += d * features[j]!;
        }
      }
      dw.forEach((d, i) => (w[i]! -= rate * (d + (offsets?.values[i] ?? 0))));
      db.forEach((d, i) => (b[i]! -= rate * (d + (offsets?.values[w.length + i] ?? 0))));
    }
  }
  const update = [
    ...w.map((v, i) => v - base.values[i]!),
    ...b.map((v, i) => v - base.values[w.length + i]!),
  ];
  return { update, lossSum, correct };
}

test("an update is what softmax regression by hand gives, padded batches included", async () => {
  const result = await train(request());
  const expected = reference(parameters, 2, 0.05);
  expect(result).toMatchObject({ numExamples: 21, steps: 6, correct: expected.correct });
  expect(result.lossSum).toBeCloseTo(expected.lossSum, 3);
  const largest = Math.max(...expected.update.map(Math.abs));
  const worst = Math.max(...expected.update.map((value, i) => Math.abs(value - result.update[i]!)));
  expect(worst / largest).toBeLessThan(1e-4);
});

test("a training that was interrupted goes on to the same update, and its pace sees every run", async () => {
  const states: TrainingState[] = [];
  const paced: number[] = [];
  const pace: TrainingPace = {
    maxSteps: () => 1,
    run: (steps, work) => {
      paced.push(steps);
      return work();
    },
  };
  const whole = await train(request({ pace, onState: (state) => states.push(state) }));
  expect(paced).toEqual([1, 1, 1, 1, 1, 1]);
  expect(states.map(({ epoch, position, step }) => [epoch, position, step])).toEqual([
    [0, 8, 1],
    [0, 16, 2],
    [0, 21, 3],
    [1, 8, 4],
    [1, 16, 5],
    [1, 21, 6],
  ]);
  for (const resume of states) {
    const rest = await train(request({ resume }));
    expect(rest.update).toEqual(whole.update);
    expect([rest.lossSum, rest.correct, rest.steps, rest.firstLoss]).toEqual([
      whole.lossSum,
      whole.correct,
      whole.steps,
      whole.firstLoss,
    ]);
  }
});

test("what weights make of examples is measured by the training graph, and changes none of them", async () => {
  const order = examples.map((_, index) => index);
  const shared = { session, spec, base: parameters, examples, order };
  const before = await measureLoss(shared);
  const { firstLoss, trained } = await train(
    request({ epochs: 5, examples: examples.slice(0, 8), maxExamples: 8 }),
  );
  const first = await measureLoss({ ...shared, order: order.slice(0, 8) });
  expect(first.loss).toBeCloseTo(firstLoss, 4);
  const after = await measureLoss({ ...shared, order: order.slice(0, 8), trained });
  expect(after.loss).toBeLessThan(first.loss);
  expect(await measureLoss(shared)).toEqual(before);
});

test.each([1, 4])("what is added to the gradients goes into each step, %i in a run", async (loopSteps) => {
  const graph = buildTrainingGraph(model, {
    batchSize: 8,
    loss: "softmax-cross-entropy",
    optimizer: "sgd",
    target: "cpu",
    gradientOffsets: true,
    loopSteps,
  });
  const values = parameters.values.map((_, i) => 0.01 * Math.cos(i));
  const offsets = parameterSet(parameters.schema, values);
  const spec = graph.spec as TrainingGraphDocument;
  await withSession(graph.model, async (of) => {
    const { update, correct } = await train(request({ session: of, spec, offsets }));
    const expected = reference(parameters, 2, 0.05, offsets);
    expect(correct).toBe(expected.correct);
    const largest = Math.max(...expected.update.map(Math.abs));
    const worst = Math.max(...expected.update.map((value, i) => Math.abs(value - update[i]!)));
    expect(worst / largest).toBeLessThan(1e-4);
    const without = await train(request({ session: of, spec }));
    expect(without.update).not.toEqual(update);
  });
});

const LOCAL_OPTIMIZERS: [string, { optimizer?: OptimizerOptions; proximalTerm?: number }][] = [
  ["momentum", { optimizer: { kind: "momentum", momentum: 0.8 } }],
  ["adam", { optimizer: { kind: "adam" } }],
  ["a proximal term", { proximalTerm: 0.5 }],
  ["momentum and a proximal term", { optimizer: { kind: "momentum" }, proximalTerm: 0.1 }],
];
test.each(LOCAL_OPTIMIZERS)(
  "with %s an update is that of the same optimizer outside of the graph",
  async (_, changes) => {
    const options = {
      batchSize: 8,
      loss: "softmax-cross-entropy",
      optimizer: { kind: "sgd" } as OptimizerOptions,
      target: "cpu",
      ...changes,
    } as const;
    const inside = buildTrainingGraph(model, options);
    const update = await withSession(inside.model, (of) =>
      train(request({ session: of, spec: inside.spec as TrainingGraphDocument })),
    );

    const gradients = buildTrainingGraph(model, {
      ...options,
      optimizer: "none",
      proximalTerm: undefined,
    });
    const proximal = changes.proximalTerm === undefined ? {} : { proximalTerm: changes.proximalTerm };
    const outside = createOptimizer(options.optimizer, parameters.values.length, proximal);
    const weights = parameters.values.slice();
    await withSession(gradients.model, async (of) => {
      const order = seededRandom("order");
      const indices = shuffledOrder(examples.length, order);
      for (let epoch = 0; epoch < 2; epoch++) {
        order.shuffle(indices);
        const { learningRate, ...rest } = gradients.spec;
        const document = gradients.spec as TrainingGraphDocument;
        for (const batch of exampleRuns(document, (index) => examples[index]!, indices)) {
          const set = parameterSet(parameters.schema, weights);
          const feeds: Record<string, Feeds[string]> = {
            ...batch.feeds,
            [learningRate.name]: tensor("float32", [], Float32Array.of(0)),
          };
          for (const { name, shape, input } of rest.parameters)
            feeds[input] = tensor("float32", shape, parameterView(set, name).slice());
          const outputs = await of.run(feeds);
          const gradient = parameterSet(parameters.schema);
          for (const { name, output } of rest.parameters)
            parameterView(gradient, name).set(outputs[output]!.data as Float32Array);
          outside.step(weights, gradient.values, 0.05, parameters.values);
        }
      }
    });
    const expected = weights.map((value, i) => value - parameters.values[i]!);
    const largest = Math.max(...expected.map(Math.abs));
    const worst = Math.max(...expected.map((value, i) => Math.abs(value - update.update[i]!)));
    expect(worst / largest).toBeLessThan(1e-4);
  },
);

async function withSession<T>(graph: Uint8Array, use: (session: Session) => Promise<T>): Promise<T> {
  const opened = await engine.load(graph);
  try {
    return await use(opened);
  } finally {
    await opened[Symbol.asyncDispose]();
  }
}

test("the base weights stay as they are, and the same order gives the same bits", async () => {
  const before = parameters.values.slice();
  const [a, b] = await Promise.all([train(request()), train(request())]);
  expect(parameters.values).toEqual(before);
  expect(a.update).toEqual(b.update);
});

test("more examples than allowed: a random part of them is used", async () => {
  const result = await train(request({ maxExamples: 10, epochs: 1 }));
  expect(result).toMatchObject({ numExamples: 10, steps: 2 });
});

test("bytes are learned from as value / 255", async () => {
  const bytes = examples.map(({ label }, i) => ({ inputs: [new Uint8Array(784).fill(i * 12)], label }));
  const floats = bytes.map(({ inputs, label }) => ({
    inputs: inputs.map((values) => Float32Array.from(values, (v) => v / 255)),
    label,
  }));
  const [a, b] = await Promise.all([
    train(request({ examples: bytes })),
    train(request({ examples: floats })),
  ]);
  expect(a.update).toEqual(b.update);
});

test("progress counts every step of every epoch", async () => {
  const steps: string[] = [];
  await train(request({ onProgress: ({ step, steps: all }) => steps.push(`${step}/${all}`) }));
  expect(steps).toEqual(["1/6", "2/6", "3/6", "4/6", "5/6", "6/6"]);
});

test("an abort ends it between two steps", async () => {
  const controller = new AbortController();
  const reason = new Error("not needed");
  let steps = 0;
  const training = train(
    request({
      signal: controller.signal,
      onProgress() {
        steps += 1;
        if (steps === 2) controller.abort(reason);
      },
    }),
  );
  await expect(training).rejects.toBe(reason);
  expect(steps).toBe(2);
});

test("coded errors: nothing to learn from, a wrong example, weights that are not finite", async () => {
  await expect(train(request({ examples: [] }))).rejects.toMatchObject({ code: "federation/no-examples" });
  const short = [{ inputs: [new Uint8Array(3)], label: 0 }];
  await expect(train(request({ examples: short }))).rejects.toMatchObject({
    code: "runtime/invalid-example",
  });
  await expect(train(request({ learningRate: 1e38 }))).rejects.toMatchObject({
    code: "federation/training-diverged",
  });
});

const trainable = ["*.bias"];
test.each([
  ["a loop, with the bits of single steps", { loopSteps: 4 }, {}],
  [
    "adam in a loop, likewise",
    { loopSteps: 2, optimizer: { kind: "adam" } },
    { optimizer: { kind: "adam" } },
  ],
  ["frozen parameters fed", { trainable, frozenInputs: ["*"] }, { trainable }],
] as const)("%s", async (_, changes, plain) => {
  const options = { batchSize: 8, loss: "softmax-cross-entropy", optimizer: "sgd", target: "cpu" } as const;
  const [a, b] = await Promise.all(
    [changes, plain].map(async (each) => {
      const graph = buildTrainingGraph(model, { ...options, ...each });
      return await withSession(graph.model, (of) =>
        train(request({ session: of, spec: graph.spec as TrainingGraphDocument })),
      );
    }),
  );
  // Constants are packed before they are multiplied, which rounds otherwise.
  if ("frozenInputs" in changes) {
    for (const [i, value] of a!.update.entries()) expect(value).toBeCloseTo(b!.update[i]!, 6);
  } else expect(a!.update).toEqual(b!.update);
  expect(a).toMatchObject({ steps: 6, correct: b!.correct });
});

test("numbers are learned from by a regression", async () => {
  const graph = buildTrainingGraph(model, { batchSize: 8, loss: "mse", optimizer: "sgd", target: "cpu" });
  const wanted = examples.map(({ inputs }, i) => ({
    inputs,
    label: Float32Array.from({ length: 10 }, (_, k) => (i + k) / 30),
  }));
  const spec = graph.spec as TrainingGraphDocument;
  await withSession(graph.model, async (of) => {
    const lossAfter = async (epochs: number) =>
      (await train(request({ session: of, spec, examples: wanted, epochs, learningRate: 0.01 }))).lossSum;
    expect(await lossAfter(8)).toBeLessThan((await lossAfter(1)) / 2);
    await expect(train(request({ session: of, spec }))).rejects.toMatchObject({
      code: "runtime/invalid-example",
    });
  });
});
