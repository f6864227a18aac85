import {
  builtInStrategies,
  createStrategyRegistry,
  type ChosenStrategy,
  type StrategyRegistry,
} from "@tributary/aggregation";
import { encodeUtf8, failure, sha256, type Digest } from "@tributary/core";
import { planRules, type PlanRules } from "@tributary/federation/aggregation";
import {
  modelPorts,
  planContent,
  strategyOf,
  withLoss,
  type ModelPorts,
  type ReadLossGraph,
} from "@tributary/federation/planning";
import { splitWeights } from "@tributary/onnx";
import { parsePlan, type Plan, type TaskSpec } from "@tributary/protocol";
import type { ExampleTable } from "@tributary/engine/examples";
import { elementCount, type ParameterSet } from "@tributary/tensor";
import type { TableShape } from "../data/columns.ts";
import { prepareGate, type PreparedGate } from "./prepare-gate.ts";
import type { TrainingThreadData } from "./training-tasks.ts";

/** A task made ready for its rounds, as a coordinator does when it is created. */
export interface PreparedTask {
  readonly spec: TaskSpec;
  /** The model without its weights, as it runs, and as it is trained. */
  readonly graph: Uint8Array;
  readonly trainingGraph: Uint8Array;
  readonly ports: ModelPorts;
  readonly rules: PlanRules;
  readonly planDigest: Digest;
  /** Of plan and training graph: what a device downloads once. */
  readonly planBytes: number;
  readonly strategy: ChosenStrategy;
  /** Of the model. */
  readonly weights: ParameterSet;
  /** Null: the task has none. */
  readonly gate: PreparedGate | null;
  readonly graphs: Pick<TrainingThreadData, "training" | "evaluation" | "measurement">;
}

/** @throws `simulator/invalid-options`, `onnx/*`, `secagg/*`, `aggregation/*`, `coordinator/invalid-task` */
export async function prepareTask(
  asked: TaskSpec,
  model: Uint8Array,
  issuerPublicKey: Uint8Array,
  trusted?: ExampleTable,
): Promise<PreparedTask> {
  requireTraining(asked);
  const strategies = createStrategyRegistry(builtInStrategies);
  requireTrusted(strategies, asked, trusted);
  const strategy = strategyOf(strategies, asked, trusted !== undefined);
  const spec = withLoss({ ...asked, strategy: { ...asked.strategy, ...strategy.choice } }, model);
  const { graph, trainingGraph = graph, parameters } = splitWeights(model);
  const readLossGraph: ReadLossGraph = (digest) => {
    throw failure(
      "simulator/invalid-options",
      `simulate: the loss of "${spec.name}" is the graph ${digest}, which lies at a coordinator; use a loss of another kind`,
      { detail: { option: "loss", got: "graph" } },
    );
  };
  const { content, graphs } = await planContent({
    spec,
    number: 1,
    model: { model: spec.model, parameters: parameters.schema },
    complete: model,
    issuerPublicKey,
    readLossGraph,
  });
  const document: Plan = {
    ...content,
    formatVersion: 2,
    // Simulated devices have no page: they take whole batches on CPUs.
    training: { target: `models/${spec.model}/plans/${spec.name}/1/train.onnx`, spec: graphs.training.spec },
    evaluation: {
      target: `models/${spec.model}/plans/${spec.name}/1/evaluate.onnx`,
      spec: graphs.evaluation.spec,
    },
  };
  const bytes = encodeUtf8(JSON.stringify(document));
  // As devices read it.
  const plan = parsePlan(bytes);
  const gate = await prepareGate({
    spec,
    model,
    parameters: parameters.schema,
    issuerPublicKey,
    readLossGraph,
  });
  return {
    spec,
    graph,
    trainingGraph,
    ports: modelPorts(model),
    rules: planRules(plan),
    gate,
    planDigest: sha256(bytes),
    planBytes: bytes.length + graphs.training.model.length,
    strategy,
    weights: parameters,
    graphs: {
      training: { model: graphs.training.model, spec: plan.training.spec },
      evaluation: { model: graphs.evaluation.model, spec: plan.evaluation.spec },
      measurement: gate?.graph ?? null,
    },
  };
}

function requireTrusted(
  { definitions }: StrategyRegistry,
  { strategy: { name } }: TaskSpec,
  trusted: ExampleTable | undefined,
): void {
  const definition = definitions.find((each) => each.name === name);
  if (definition?.needsTrustedDataset === undefined || trusted !== undefined) return;
  throw failure(
    "simulator/invalid-options",
    `simulate: ${name} needs trusted examples: ${definition.needsTrustedDataset}; those of the task lie at a coordinator, so give --trusted a number of examples or a file`,
    { detail: { option: "trusted", strategy: name } },
  );
}

/** What rows of text hold of an example of this model. */
export function tableShape(asked: TaskSpec, model: Uint8Array): TableShape {
  const { loss } = withLoss(asked, model);
  const { inputs, outputs } = modelPorts(model);
  const output = outputs.find(({ name }) => name === loss.output) ?? outputs[0]!;
  const sizes = output.shape.slice(1).filter((size) => size > 0);
  return { inputs, classes: loss.kind === "softmax-cross-entropy", labelSize: elementCount(sizes) };
}

/** What only measures makes no version: there is nothing of it to try out. */
function requireTraining({ name, kind }: TaskSpec): void {
  if (kind === "train") return;
  throw failure(
    "simulator/invalid-options",
    `simulate: task "${name}" is of kind "${kind}"; only tasks of kind "train" are simulated`,
    { detail: { option: "kind", got: kind } },
  );
}
