import { asModelName, asPopulationName, asRoundId, asTaskName, sha256 } from "@tributary/core";
import { layoutOfParameters, parseModelManifest, parsePlan } from "@tributary/protocol";
import { describe, expect, test } from "vitest";
import type { PlanContent } from "@tributary/federation/planning";
import { planTargets, unreleasedTargets, versionTargets } from "../../src/releases/model-targets.ts";
import type { TargetRecord } from "../../src/ports/release-records.ts";
import { exampleBlob, exampleModel, exampleVersion } from "../../src/testing/index.ts";

const DIGITS = asModelName("digits");

describe("a version's targets", () => {
  test("are the manifest, the graph and both weights, and name each other", () => {
    const version = exampleVersion(3);
    const { bytes, changes } = versionTargets(exampleModel(), version);
    const explained = exampleModel().explanation!;
    const path = `models/digits/explanations/${explained.digest.slice(0, 16)}.onnx`;
    const { document, graphs } = exampleModel().personalisation!;
    const personal = {
      target: `models/digits/personalisation/${document.digest.slice(0, 16)}.json`,
      graphs: graphs.map((graph) => [
        `models/digits/personalisation/${graph.digest.slice(0, 16)}.onnx`,
        graph.digest,
        graph.sizeBytes,
      ]),
    };
    const manifest = parseModelManifest(bytes);
    const engines = ["ort-wasm", "ort-node"];
    expect(manifest).toEqual({
      formatVersion: 2,
      model: "digits",
      channel: "stable",
      version: 3,
      parentVersion: 2,
      graph: { target: `models/digits/graphs/${version.graph.digest.slice(0, 16)}.onnx` },
      weights: {
        float32: { target: "models/digits/versions/3/weights.safetensors" },
        int8: { target: "models/digits/versions/3/weights.int8.safetensors" },
      },
      parameters: exampleModel().parameters,
      inputs: exampleModel().inputs,
      outputs: exampleModel().outputs,
      labels: ["0", "1"],
      processing: exampleModel().processing,
      explanation: { target: path },
      personalisation: { target: personal.target },
      variants: [
        { name: "int8-dynamic", target: "models/digits/versions/3/int8-dynamic.onnx", engines },
        {
          name: "int8-static",
          target: "models/digits/versions/3/int8-static.onnx",
          engines,
          sample: { image: [0, 0.5, 1] },
        },
      ],
      selfCheck: version.selfCheck,
      createdAt: new Date(version.createdAt).toISOString(),
    });
    expect(changes.put.map((target) => [target.path, target.digest, target.sizeBytes])).toEqual([
      ["models/digits/stable.json", sha256(bytes), bytes.length],
      [manifest.graph.target, version.graph.digest, version.graph.sizeBytes],
      [manifest.weights.float32.target, version.weights.digest, version.weights.sizeBytes],
      [manifest.weights.int8.target, version.int8.digest, version.int8.sizeBytes],
      ...version.variants.map(({ digest, sizeBytes }, i) => [
        manifest.variants![i]!.target,
        digest,
        sizeBytes,
      ]),
      [path, explained.digest, explained.sizeBytes],
      [personal.target, document.digest, document.sizeBytes],
      ...personal.graphs,
    ]);
    expect(new Set(changes.put.map(({ role }) => role))).toEqual(new Set(["digits"]));
  });

  test("of a round are signed by the role of trainings, and once they are released by the model's too", () => {
    const version = { ...exampleVersion(3), roundId: asRoundId("digits-3") };
    const names = ({ put }: { readonly put: readonly TargetRecord[] }, role: string) =>
      put.filter((target) => target.role === role).map(({ path }) => path.replace("models/digits/", ""));
    const files = [
      "weights.safetensors",
      "weights.int8.safetensors",
      "int8-dynamic.onnx",
      "int8-static.onnx",
    ];
    const own = files.map((file) => `versions/3/${file}`);
    const waiting = unreleasedTargets(version);
    expect(names({ put: waiting }, "digits-training")).toEqual(own);
    expect(names({ put: waiting }, "digits")).toEqual([]);
    const { changes } = versionTargets(exampleModel(), version);
    expect(names(changes, "digits-training")).toEqual(own);
    expect(names(changes, "digits")).toEqual(expect.arrayContaining(["stable.json", ...own]));
  });

  test("labels and processing are left out where a model has none", () => {
    const model = exampleModel({ labels: null, processing: null, explanation: null });
    const { bytes } = versionTargets(model, exampleVersion(1));
    expect(parseModelManifest(bytes)).not.toHaveProperty("labels");
    expect(parseModelManifest(bytes)).not.toHaveProperty("processing");
    expect(parseModelManifest(bytes)).not.toHaveProperty("explanation");
  });

  test("a document that devices would refuse is not made", () => {
    const model = exampleModel({ inputs: [] });
    expect(() => versionTargets(model, exampleVersion(1))).toThrow(
      expect.objectContaining({ code: "protocol/invalid-document" }),
    );
  });
});

describe("a plan's targets", () => {
  const port = (name: string, dtype: "float32" | "int32", shape: number[]) => ({ name, dtype, shape });
  const parameters = exampleModel().parameters;
  const common = {
    batchSize: 10,
    features: port("image", "float32", [10, 1, 28, 28]),
    labels: port("labels", "int32", [10]),
    sampleWeights: port("weights", "float32", [10]),
    lossSum: "loss",
    correct: "correct",
  };
  const content: PlanContent = {
    task: asTaskName("digits-task"),
    model: DIGITS,
    population: asPopulationName("default"),
    training: {
      spec: {
        ...common,
        kind: "train",
        learningRate: port("rate", "float32", []),
        parameters: parameters.map(({ name, shape }) => ({
          name,
          shape,
          input: name,
          output: `${name}.new`,
        })),
      },
    },
    evaluation: {
      spec: {
        ...common,
        kind: "evaluate",
        parameters: parameters.map(({ name, shape }) => ({ name, shape, input: name })),
      },
    },
    parameters,
    update: layoutOfParameters(parameters),
    local: { epochs: 1, batchSize: 10, learningRate: 0.1, maxExamples: 600 },
    maxUpdateNorm: 100,
  };

  test("with the graphs by which its batches are cut, or why they are not", () => {
    const blobs = { train: exampleBlob("train"), evaluate: exampleBlob("evaluate") };
    const carried = content.training.spec.parameters;
    const step = {
      kind: "optimizer-step" as const,
      learningRate: port("rate", "float32", []),
      parameters: carried,
      gradients: carried.map(({ name, shape }) => ({ name, shape, input: `${name}.mean` })),
    };
    const { spec } = content.training;
    const cut: PlanContent = { ...content, training: { spec, micro: { spec, step: { spec: step } } } };
    const micro = {
      parts: [5, 1].map((batchSize) => ({ batchSize, blob: exampleBlob(`part ${batchSize}`) })),
      step: exampleBlob("step"),
    };
    const { bytes, changes } = planTargets(2, cut, { ...blobs, micro });
    const folder = "models/digits/plans/digits-task/2";
    expect(parsePlan(bytes).training.micro).toEqual({
      spec,
      parts: [
        { batchSize: 5, target: `${folder}/micro.5.onnx` },
        { batchSize: 1, target: `${folder}/micro.1.onnx` },
      ],
      step: { target: `${folder}/micro.step.onnx`, spec: step },
    });
    expect(changes.put!.map(({ path }) => path)).toEqual(
      expect.arrayContaining([5, 1, "step"].map((part) => `${folder}/micro.${part}.onnx`)),
    );
    const kept: PlanContent = { ...content, training: { spec, whole: "batch-statistics" } };
    expect(parsePlan(planTargets(2, kept, blobs).bytes).training).toMatchObject({
      whole: "batch-statistics",
    });
  });

  test("are the document and its two graphs, and name each other", () => {
    const graphs = { train: exampleBlob("train"), evaluate: exampleBlob("evaluate") };
    const { path, bytes, changes } = planTargets(2, content, graphs);
    const plan = parsePlan(bytes);
    expect(path).toBe("models/digits/plans/digits-task/2.json");
    expect(plan.training.target).toBe("models/digits/plans/digits-task/2/train.onnx");
    expect(plan.evaluation.target).toBe("models/digits/plans/digits-task/2/evaluate.onnx");
    expect(plan.training.spec).toEqual(content.training.spec);
    expect(changes.put).toEqual([
      { role: "digits", path, digest: sha256(bytes), sizeBytes: bytes.length, custom: null },
      { role: "digits", path: plan.training.target, ...graphs.train, custom: null },
      { role: "digits", path: plan.evaluation.target, ...graphs.evaluate, custom: null },
    ]);
  });
});
