/** What devices train for themselves alone: the last layer of a model, or low-rank adapters beside its layers. */
import { TributaryError, type ModelName } from "@tributary/core";
import {
  buildMicroBatches,
  buildTrainingGraph,
  decodeModel,
  fittingLoss,
  headParameters,
  lowRankTrainingModel,
  runningStatistics,
  splitWeights,
  type MicroBatchGraphs,
  type TrainingGraph,
  type WholeReason,
} from "@tributary/onnx";
import type { PersonalAdapters, Personalisation } from "@tributary/protocol";
import type { ParameterSchema } from "@tributary/tensor";

/** Examples of a device are few: of larger batches it would make no steps. */
const BATCH_SIZE = 8;
const EPOCHS = 12;
/** Adam's, by which few steps are enough whatever the model's scale. */
const LEARNING_RATES = { head: 0.005, "low-rank": 0.003 } as const;
const RANK = 4;
const LOOP_STEPS = 16;

/** The graphs of one kind of adapters, with what a device has to know of them. */
export interface PersonalGraphs {
  readonly training: TrainingGraph;
  readonly micro: MicroBatchGraphs | WholeReason;
  readonly inference?: {
    readonly graph: Uint8Array<ArrayBuffer>;
    readonly parameters: ParameterSchema;
  };
  readonly learningRate: PersonalAdapters["learningRate"];
}

export interface PersonalisationGraphs {
  readonly head: PersonalGraphs | undefined;
  readonly lowRank: PersonalGraphs | undefined;
}

/**
 * @param model as it was published, whole
 * @param parameters names of its published parameters
 * @throws what is wrong with the model itself; a kind of adapters that gradients do not reach is left out
 */
export function personalisationGraphs(
  model: Uint8Array,
  parameters: readonly string[],
): PersonalisationGraphs {
  const statistics = new Set(runningStatistics(decodeModel(model).graph).map(({ name }) => name));
  const weights = parameters.filter((name) => !statistics.has(name));
  return {
    head: orNone(() => headGraphs(model, parameters, weights)),
    lowRank: orNone(() => lowRankGraphs(model, parameters)),
  };
}

/**
 * What devices are told of the graphs.
 *
 * @param put stores a graph and gives its target path
 */
export async function personalisationDocument(
  model: ModelName,
  { head, lowRank }: PersonalisationGraphs,
  put: (graph: Uint8Array) => Promise<string>,
): Promise<Personalisation> {
  return {
    formatVersion: 1,
    model,
    batchSize: BATCH_SIZE,
    epochs: EPOCHS,
    ...(head === undefined ? {} : { head: await storeAdapters(put, head) }),
    ...(lowRank === undefined ? {} : { lowRank: await storeAdapters(put, lowRank) }),
  };
}

async function storeAdapters(
  put: (bytes: Uint8Array) => Promise<string>,
  { training, micro, inference, learningRate }: PersonalGraphs,
): Promise<PersonalAdapters> {
  const parts = [];
  if (typeof micro !== "string")
    for (const { batchSize, model } of micro.parts) parts.push({ batchSize, target: await put(model) });
  return {
    training: {
      target: await put(training.model),
      spec: training.spec,
      ...(typeof micro === "string"
        ? { whole: micro }
        : {
            micro: {
              spec: micro.spec,
              parts,
              step: { target: await put(micro.step.model), spec: micro.step.spec },
            },
          }),
    },
    ...(inference === undefined
      ? {}
      : { inference: { target: await put(inference.graph), parameters: inference.parameters } }),
    learningRate,
  };
}

function headGraphs(
  model: Uint8Array,
  parameters: readonly string[],
  weights: readonly string[],
): PersonalGraphs | undefined {
  const head = headParameters(model, weights);
  if (head.length === 0) return undefined;
  return { ...trainingOf(model, head, parameters), learningRate: LEARNING_RATES.head };
}

function lowRankGraphs(model: Uint8Array, parameters: readonly string[]): PersonalGraphs {
  // Nobody averages them: both factors are trained.
  const adapted = lowRankTrainingModel(model, { rank: RANK, freezeA: false, seed: "personal" });
  const { graph, parameters: all } = splitWeights(adapted.model, [...parameters, ...adapted.trainable]);
  return {
    ...trainingOf(adapted.model, adapted.trainable, parameters),
    inference: { graph, parameters: all.schema },
    learningRate: LEARNING_RATES["low-rank"],
  };
}

function trainingOf(
  model: Uint8Array,
  trainable: readonly string[],
  frozenInputs: readonly string[],
): Pick<PersonalGraphs, "training" | "micro"> {
  const options = {
    batchSize: BATCH_SIZE,
    loss: fittingLoss(model),
    optimizer: "adam",
    target: "cpu",
    trainable,
    frozenInputs,
    loopSteps: LOOP_STEPS,
  } as const;
  const training = buildTrainingGraph(model, options);
  return { training, micro: buildMicroBatches(model, options, training) };
}

function orNone<T>(build: () => T): T | undefined {
  try {
    return build();
  } catch (error) {
    if (!TributaryError.is(error) || !error.code.startsWith("onnx/")) throw error;
    return undefined;
  }
}
