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
} from "@tributary/federation/planning";
import { splitWeights } from "@tributary/onnx";
import { parsePlan, type Plan, type TaskSpec } from "@tributary/protocol";
import type { ExampleTable } from "@tributary/engine/examples";
import { elementCount, type ParameterSet } from "@tributary/tensor";
import type { TableShape } from "../data/columns.ts";
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
  readonly graphs: Pick<TrainingThreadData, "training" | "evaluation">;
}

/** @throws `simulator/invalid-options`, `onnx/*`, `secagg/*`, `aggregation/*`, `coordinator/invalid-task` */
export async function prepareTask(
  asked: TaskSpec,
  model: Uint8Array,
  issuerPublicKey: Uint8Array,
  trusted?: ExampleTable,
): Promise<PreparedTask> {
  if (asked.mode.type !== "synchronous") {
    throw failure(
      "simulator/invalid-options",
      `simulate: "${asked.name}" is ${asked.mode.type}; the simulator plays synchronous tasks, so set "mode": { "type": "synchronous" } to try it out`,
      { detail: { option: "mode", got: asked.mode.type } },
    );
  }
  requireTraining(asked);
  const strategies = createStrategyRegistry(builtInStrategies);
  requireTrusted(strategies, asked, trusted);
  const strategy = strategyOf(strategies, asked, trusted !== undefined);
  const spec = withLoss({ ...asked, strategy: { ...asked.strategy, ...strategy.choice } }, model);
  const { graph, trainingGraph = graph, parameters } = splitWeights(model);
  const { content, graphs } = await planContent({
    spec,
    number: 1,
    model: { model: spec.model, parameters: parameters.schema },
    complete: model,
    issuerPublicKey,
    readLossGraph: (digest) => {
      throw failure(
        "simulator/invalid-options",
        `simulate: the loss of "${spec.name}" is the graph ${digest}, which lies at a coordinator; use a loss of another kind`,
        { detail: { option: "loss", got: "graph" } },
      );
    },
  });
  const document: Plan = {
    ...content,
    formatVersion: 2,
    training: { target: `plans/${spec.name}/1/train.onnx`, spec: graphs.training.spec },
    evaluation: { target: `plans/${spec.name}/1/evaluate.onnx`, spec: graphs.evaluation.spec },
  };
  const bytes = encodeUtf8(JSON.stringify(document));
  // As devices read it.
  const plan = parsePlan(bytes);
  return {
    spec,
    graph,
    trainingGraph,
    ports: modelPorts(model),
    rules: planRules(plan),
    planDigest: sha256(bytes),
    planBytes: bytes.length + graphs.training.model.length,
    strategy,
    weights: parameters,
    graphs: {
      training: { model: graphs.training.model, spec: plan.training.spec },
      evaluation: { model: graphs.evaluation.model, spec: plan.evaluation.spec },
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

/** What devices measure is of no version that a simulation made. */
function requireTraining({ name, kind, gate }: TaskSpec): void {
  if (kind === "train" && gate === null) return;
  const what = kind === "train" ? "has a gate" : `is of kind "${kind}"`;
  throw failure(
    "simulator/invalid-options",
    `simulate: task "${name}" ${what}; only training without a gate can be simulated`,
    { detail: { option: kind === "train" ? "gate" : "kind", got: kind } },
  );
}
