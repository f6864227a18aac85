import { seededRandom, systemClock } from "@tributary/core";
import { exampleRuns } from "@tributary/engine/batches";
import { checkedWeights, matchingOutputs, train } from "@tributary/engine/training";
import { buildTrainingGraph, encodeModel, splitWeights, type TrainingGraph } from "@tributary/onnx";
import { layoutOfParameters, type TrainingGraphDocument } from "@tributary/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { EngineProvider, OpenTrainingRequest } from "../../src/engine-provider.ts";
import { createBrowserEngines } from "../../src/worker/browser-engines.ts";

const [INPUTS, CLASSES] = [6, 3];
const random = seededRandom("training engines");

/** Classes from six numbers, one dense layer. */
const model = ((): Uint8Array => {
  const weight = (name: string, dims: number[]) => {
    const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.normal());
    return { name, elementType: "float32" as const, dims, data: new Uint8Array(values.buffer) };
  };
  return encodeModel({
    irVersion: 8,
    producerName: "test",
    producerVersion: "",
    domain: "",
    modelVersion: 0,
    opsetImports: [{ domain: "", version: 17 }],
    metadata: [],
    graph: {
      name: "dense",
      nodes: [
        {
          name: "dense",
          domain: "",
          opType: "Gemm",
          inputs: ["x", "weight", "bias"],
          outputs: ["y"],
          attributes: new Map(),
        },
      ],
      initializers: [weight("weight", [INPUTS, CLASSES]), weight("bias", [CLASSES])],
      inputs: [{ name: "x", elementType: "float32", shape: ["batch", INPUTS] }],
      outputs: [{ name: "y", elementType: "float32", shape: ["batch", CLASSES] }],
      valueInfo: [],
    },
  });
})();
const { parameters: base } = splitWeights(model);
const examples = Array.from({ length: 10 }, (_, i) => ({
  inputs: [Float32Array.from({ length: INPUTS }, () => random.normal())],
  label: i % CLASSES,
}));

const options = { batchSize: 4, loss: "softmax-cross-entropy" } as const;
const build = (optimizer: "sgd" | "adam", target: "cpu" | "webgpu", clipGradientNorm?: number) =>
  buildTrainingGraph(model, {
    ...options,
    optimizer,
    target,
    clipGradientNorm,
    ...(target === "cpu" ? { loopSteps: 2 } : {}),
  });
const documentOf = ({ spec }: TrainingGraph): TrainingGraphDocument => spec as TrainingGraphDocument;

let engines: EngineProvider;
let fetched: string[];
beforeEach(() => {
  engines = createBrowserEngines({ softwareAdapter: "use", clock: systemClock });
  fetched = [];
});
afterEach(() => engines.close());

function request(
  cpu: TrainingGraph,
  webgpu: TrainingGraph | undefined,
  more: Partial<OpenTrainingRequest> = {},
): OpenTrainingRequest {
  const sample = (graph: TrainingGraph) => {
    const [run] = exampleRuns(documentOf(graph), (index) => examples[index]!, [0, 1, 2, 3], 1);
    return { ...checkedWeights(documentOf(graph), base), ...run!.feeds };
  };
  const bytes = (name: string, graph: TrainingGraph) => async () => {
    fetched.push(name);
    return graph.model;
  };
  return {
    key: "graph",
    format: "onnx",
    model: bytes("cpu", cpu),
    sample: () => sample(cpu),
    webgpu: webgpu && {
      model: bytes("webgpu", webgpu),
      feeds: () => sample(webgpu),
      outputNames: matchingOutputs(documentOf(cpu), documentOf(webgpu)),
    },
    ...more,
  };
}

async function update(lease: Awaited<ReturnType<EngineProvider["openTraining"]>>, graph: TrainingGraph) {
  const { session } = lease;
  const result = await train({
    session,
    spec: documentOf(graph),
    layout: layoutOfParameters(base.schema),
    base,
    examples,
    epochs: 2,
    learningRate: 0.1,
    maxExamples: 100,
    random: seededRandom("order"),
  });
  return result.update;
}

test.each(["sgd", "adam"] as const)(
  "training with %s is checked and measured once on both engines, and either gives the same update",
  { timeout: 60_000 },
  async (optimizer) => {
    const [cpu, webgpu] = [build(optimizer, "cpu"), build(optimizer, "webgpu")];
    let remembered: unknown;
    const remember = async (choice: unknown): Promise<void> => void (remembered = choice);
    const first = await engines.openTraining(request(cpu, webgpu, { remember }));
    expect(first.note).toMatch(/^measured: ort-wasm .* ms, ort-webgpu .* ms$/u);
    expect(fetched.toSorted()).toEqual(["cpu", "webgpu"]);
    expect(remembered).toMatchObject({ reason: "faster", engine: first.engine });
    const measured = await update(first, first.engine === "ort-webgpu" ? webgpu : cpu);
    await first.release();

    for (const engine of ["ort-wasm", "ort-webgpu"] as const) {
      fetched = [];
      const choice = { ...(remembered as object), engine };
      const again = await engines.openTraining(
        request(cpu, webgpu, { key: `graph ${engine}`, remembered: choice }),
      );
      expect(again.engine).toBe(engine);
      // A device fetches the graph that it runs.
      expect(fetched).toEqual([engine === "ort-webgpu" ? "webgpu" : "cpu"]);
      const own = await update(again, engine === "ort-webgpu" ? webgpu : cpu);
      for (const [i, value] of own.entries()) expect(value).toBeCloseTo(measured[i]!, 4);
      await again.release();
    }
  },
);

test("a graph that computes other gradients is not trained with", { timeout: 60_000 }, async () => {
  const lease = await engines.openTraining(request(build("sgd", "cpu"), build("sgd", "webgpu", 1e-3)));
  expect(lease.engine).toBe("ort-wasm");
  expect(lease.note).toMatch(/^WebGPU computed something else than WASM/u);
});

test("without a form for WebGPU it says so", { timeout: 60_000 }, async () => {
  const lease = await engines.openTraining(request(build("sgd", "cpu"), undefined));
  expect(lease.engine).toBe("ort-wasm");
  expect(lease.note).toBe("no form of this graph runs on WebGPU");
});
