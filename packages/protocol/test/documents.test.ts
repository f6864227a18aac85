import { encodeUtf8, TributaryError } from "@tributary/core";
import { describe, expect, test } from "vitest";
import {
  LIMITS,
  parseModelManifest,
  parsePlan,
  parseTaskSpec,
  type ModelManifest,
  type Plan,
} from "../src/index.ts";

const parameters = [{ name: "fc1.weight", shape: [10, 784] }];
const features = { name: "image", dtype: "float32", shape: [10, 1, 28, 28] } as const;
const labels = { name: "label", dtype: "int32", shape: [10] } as const;
const sampleWeights = { name: "weight", dtype: "float32", shape: [10] } as const;

const manifest = {
  formatVersion: 2,
  model: "digits",
  channel: "stable",
  version: 3,
  parentVersion: 2,
  graph: { target: "models/digits/graphs/0123456789abcdef.onnx" },
  weights: {
    float32: { target: "models/digits/versions/3/weights.safetensors" },
    int8: { target: "models/digits/versions/3/weights.int8.safetensors" },
  },
  parameters,
  inputs: [
    { name: "ids", dtype: "int64", shape: [-1, 16] },
    { name: "mask", dtype: "bool", shape: [-1, 16] },
  ],
  outputs: [
    { name: "topic", dtype: "float32", shape: [-1, 4] },
    { name: "score", dtype: "float32", shape: [-1, 1] },
  ],
  createdAt: "2026-01-01T00:00:00.000Z",
};

const plan = {
  formatVersion: 2,
  task: "digits",
  model: "digits",
  population: "default",
  training: {
    target: "plans/digits/1/train.onnx",
    spec: {
      kind: "train",
      batchSize: 10,
      features,
      labels,
      sampleWeights,
      learningRate: { name: "lr", dtype: "float32", shape: [] },
      parameters: [{ ...parameters[0], input: "fc1.weight", output: "fc1.weight.next" }],
      lossSum: "lossSum",
      correct: "correct",
    },
  },
  evaluation: {
    target: "plans/digits/1/evaluate.onnx",
    spec: {
      kind: "evaluate",
      batchSize: 10,
      features,
      labels,
      sampleWeights,
      parameters: [{ ...parameters[0], input: "fc1.weight" }],
      lossSum: "lossSum",
      correct: "correct",
    },
  },
  parameters,
  local: { epochs: 1, batchSize: 10, learningRate: 0.05, maxExamples: 600 },
  update: { tensors: [{ ...parameters[0], role: "weight" }], maxStatisticChange: 10 },
  maxUpdateNorm: 100,
};

const json = (value: unknown) => encodeUtf8(JSON.stringify(value));

describe("manifest and plan", () => {
  test("come back typed", () => {
    expect(parseModelManifest(json(manifest)) satisfies ModelManifest).toEqual(manifest);
    expect(parsePlan(json(plan)) satisfies Plan).toEqual(plan);
  });

  test("of an earlier release say what their updates held: every parameter, as a weight", () => {
    const { update: _, ...earlier } = plan;
    expect(parsePlan(json({ ...earlier, formatVersion: 1 }))).toEqual({
      ...plan,
      update: { ...plan.update, maxStatisticChange: 100 },
    });
    expect(faultOf(() => parsePlan(json({ ...earlier })))).toBe("/");
  });

  test.each([
    [[], "/update/tensors"],
    [["weight", "statistic", "weight"], "/update/tensors/2"],
    [["statistic"], "/update/tensors/0"],
  ])("lay updates out as weights, then statistics (%#)", (roles, path) => {
    const tensors = roles.map((role, i) => ({ name: `tensor ${i}`, shape: [2], role }));
    expect(faultOf(() => parsePlan(json({ ...plan, update: { ...plan.update, tensors } })))).toBe(path);
  });

  test("name no tensor of an update twice", () => {
    const tensors = [...plan.update.tensors, ...plan.update.tensors];
    expect(faultOf(() => parsePlan(json({ ...plan, update: { ...plan.update, tensors } })))).toBe(
      "/update/tensors/1",
    );
  });

  test("of a manifest signed by an earlier release, with one input and output: the same shape", () => {
    const { inputs, outputs, ...rest } = manifest;
    const first = { ...rest, formatVersion: 1, input: inputs[0], output: outputs[0] };
    expect(parseModelManifest(json(first))).toEqual({
      ...manifest,
      inputs: [inputs[0]],
      outputs: [outputs[0]],
    });
    const faulty = { ...first, input: { ...inputs[0], dtype: "float8" } };
    expect(faultOf(() => parseModelManifest(json(faulty)))).toBe("/input/dtype");
  });

  test("may carry what a newer writer added", () => {
    expect(parseModelManifest(json({ ...manifest, notes: "x" })).version).toBe(3);
  });

  test.each([
    [{ ...manifest, version: 0 }, "/version"],
    [{ ...manifest, formatVersion: 4 }, "/formatVersion"],
    [{ ...manifest, formatVersion: 1 }, "/"],
    [null, "/"],
    [{ ...manifest, graph: { target: "../../etc/passwd" } }, "/graph/target"],
    [{ ...manifest, inputs: [{ ...manifest.inputs[0], dtype: "float8" }] }, "/inputs/0/dtype"],
    [{ ...manifest, outputs: [] }, "/outputs"],
    [{ ...manifest, inputs: Array.from({ length: 65 }, () => manifest.inputs[0]) }, "/inputs"],
    [{ ...manifest, parameters: [{ name: "w", shape: [-1] }] }, "/parameters/0/shape/0"],
    [{ ...manifest, parameters: "none" }, "/parameters"],
  ])("with a fault name its path (%#)", (document, path) => {
    expect(faultOf(() => parseModelManifest(json(document)))).toBe(path);
  });

  test("that are no JSON, or too large, are refused", () => {
    expect(faultOf(() => parsePlan(encodeUtf8("{")))).toBe("");
    expect(faultOf(() => parsePlan(Uint8Array.of(0xff)))).toBe("");
    const large = new Uint8Array(LIMITS.maxManifestBytes + 1).fill(0x20);
    expect(faultOf(() => parseModelManifest(large))).toBe("");
  });
});

describe("task", () => {
  test("takes adapters, with their defaults, instead of parameters to train", () => {
    const task = { name: "digits", model: "digits", adapters: { rank: 4 } };
    expect(parseTaskSpec(task).adapters).toEqual({ targets: ["*"], rank: 4, freezeA: true });
    expect(faultOf(() => parseTaskSpec({ ...task, trainable: ["fc1.*"] }))).toBe("/trainable");
    expect(faultOf(() => parseTaskSpec({ ...task, adapters: { rank: 0 } }))).toMatch(/^\/adapters/);
  });

  test("gets its defaults", () => {
    expect(parseTaskSpec({ name: "digits", model: "digits" })).toEqual({
      formatVersion: 1,
      name: "digits",
      model: "digits",
      population: "default",
      rounds: null,
      kind: "train",
      candidate: null,
      telemetry: [],
      gate: null,
      reference: null,
      release: "every",
      stop: { targetMetric: null, elapsedMs: null, noImprovement: null },
      trainable: ["*"],
      loss: { kind: "auto" },
      moreLosses: [],
      metrics: [],
      batchNormalization: "as-exported",
      adapters: null,
      local: {
        epochs: 1,
        batchSize: 10,
        learningRate: 0.05,
        maxExamples: 600,
        learningRateSchedule: { kind: "constant" },
        optimizer: { kind: "sgd" },
        clipGradientNorm: null,
        loopSteps: 64,
        proximalTerm: null,
      },
      mode: { type: "synchronous" },
      strategy: { name: "fedAvg", parameters: {} },
      cohort: {
        goalCount: 24,
        minimumCount: 2,
        overSelection: 1.3,
        trainDeadlineMs: 60_000,
        reportDeadlineMs: 20_000,
      },
      stepPrecision: "int8",
      selection: { minimumSeparationMs: 0, minimumSeparationRounds: 0, fairness: 0.5 },
      eligibility: {
        engines: [],
        minMemoryMb: null,
        battery: null,
        network: "any",
        localeTags: [],
        tags: [],
        whenUnknown: "ineligible",
      },
      schedule: null,
      retries: { maxConsecutiveFailures: 1_000, backoffMs: 500, maxBackoffMs: 30_000 },
      pauseBetweenRoundsMs: 0,
      evaluation: { dataset: null, batchSize: 200, maxLossDifference: 10 },
      maxUpdateNorm: 100,
      maxStatisticChange: 100,
      secureAggregation: {
        mode: "on",
        minimumCohort: 16,
        corruption: 0.05,
        dropout: 0.3,
        phaseDeadlineMs: 10_000,
        valueBits: 16,
        maxExampleLoss: 1000,
      },
    });
  });

  test("keeps what it says, and leaves the given value alone", () => {
    const given = { name: "t", model: "m", cohort: { goalCount: 40 } };
    expect(parseTaskSpec(json(given)).cohort.goalCount).toBe(40);
    expect(parseTaskSpec(given).cohort.minimumCount).toBe(2);
    expect(given).toEqual({ name: "t", model: "m", cohort: { goalCount: 40 } });
  });

  test("of few devices says itself that it is a trial, or that it opts out", () => {
    const few = { name: "t", model: "m", cohort: { goalCount: 4 } };
    expect(() => parseTaskSpec(few)).toThrow(/trial that is not private, or opt out/);
    const trial = parseTaskSpec({ ...few, secureAggregation: { minimumCohort: 3 } });
    expect(trial.secureAggregation).toMatchObject({ mode: "on", minimumCohort: 3 });
    expect(parseTaskSpec({ ...few, secureAggregation: { mode: "off" } }).secureAggregation.mode).toBe("off");
  });

  test.each([
    [{ model: "m" }, "/"],
    [{ name: "T", model: "m" }, "/name"],
    [{ name: "t", model: "m", local: { epoch: 3 } }, "/local"],
    [{ name: "t", model: "m", local: { learningRate: "0.1" } }, "/local/learningRate"],
    [{ name: "t", model: "m", rounds: 0 }, "/rounds"],
    [{ name: "t", model: "m", evaluation: { dataset: "abc" } }, "/evaluation/dataset"],
    [{ name: "t", model: "m", cohort: { goalCount: 2, minimumCount: 3 } }, "/cohort/minimumCount"],
    [{ name: "t", model: "m", cohort: { goalCount: 15 } }, "/secureAggregation/minimumCohort"],
    [{ name: "t", model: "m", strategy: { name: 3 } }, "/strategy/name"],
    [{ name: "t", model: "m", strategy: { parameters: { beta2: "1" } } }, "/strategy/parameters/beta2"],
    [{ name: "t", model: "m", trainable: [] }, "/trainable"],
    [{ name: "t", model: "m", loss: { kind: "hinge" } }, "/loss/kind"],
    [{ name: "t", model: "m", loss: { kind: "huber", delta: 0 } }, "/loss/delta"],
    [{ name: "t", model: "m", loss: { kind: "mse", delta: 1 } }, "/loss/delta"],
    [{ name: "t", model: "m", loss: { kind: "graph" } }, "/loss/graph"],
    [{ name: "t", model: "m", moreLosses: [{ kind: "mse", output: "r" }] }, "/loss/kind"],
    [{ name: "t", model: "m", loss: { kind: "mae" }, moreLosses: [{}] }, "/moreLosses/0/kind"],
    [{ name: "t", model: "m", metrics: [{ kind: "topK" }] }, "/metrics/0/k"],
    [{ name: "t", model: "m", metrics: [{ kind: "mae", k: 2 }] }, "/metrics/0/k"],
    [optimizer({ kind: "lion" }), "/local/optimizer/kind"],
    [optimizer({ kind: "momentum", momentum: 1 }), "/local/optimizer/momentum"],
    [optimizer({ momentum: 0.9 }), "/local/optimizer/momentum"],
    [optimizer({ kind: "adam", nesterov: true }), "/local/optimizer/nesterov"],
    [{ name: "t", model: "m", local: { clipGradientNorm: 0 } }, "/local/clipGradientNorm"],
    [{ name: "t", model: "m", local: { loopSteps: 5000 } }, "/local/loopSteps"],
    [{ name: "t", model: "m", local: { proximalTerm: 0 } }, "/local/proximalTerm"],
    [schedule({ kind: "step", factor: 0.5 }), "/local/learningRateSchedule/everyRounds"],
    [schedule({ kind: "cosine" }), "/local/learningRateSchedule/totalRounds"],
    [schedule({ kind: "exponential", factor: 2 }), "/local/learningRateSchedule/factor"],
    [schedule({ factor: 0.5 }), "/local/learningRateSchedule/factor"],
    [null, "/"],
    [[], "/"],
  ])("with a fault names its path (%#)", (document, path) => {
    expect(faultOf(() => parseTaskSpec(document))).toBe(path);
  });

  test("a setting that its kind does not use is answered with those it does", () => {
    const document = optimizer({ kind: "adam", momentum: 0.9 });
    expect(() => parseTaskSpec(document)).toThrow("adam takes beta1, beta2, epsilon, weightDecay");
  });

  test("a value that is not in a list is answered with the list", () => {
    const document = { name: "t", model: "m", local: { optimizer: { kind: "lion" } } };
    const message = "/local/optimizer/kind must be one of sgd, momentum, adam, adamw";
    expect(() => parseTaskSpec(document)).toThrow(message);
  });

  test("a misspelt property is named", () => {
    expect(() => parseTaskSpec({ name: "t", model: "m", local: { epoch: 3 } })).toThrow(/epoch/);
  });
});

const optimizer = (settings: object) => ({ name: "t", model: "m", local: { optimizer: settings } });
function schedule(learningRateSchedule: object): unknown {
  return { name: "t", model: "m", local: { learningRateSchedule } };
}

function faultOf(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    if (TributaryError.is(error) && error.code === "protocol/invalid-document") {
      return error.detail["path"] ?? "";
    }
    throw error;
  }
  return "no error";
}
