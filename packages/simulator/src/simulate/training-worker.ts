import { seededRandom, TributaryError } from "@tributary/core";
import { evaluationSums, type EvaluationSums } from "@tributary/engine/evaluation";
import { exampleOf, inputColumns } from "@tributary/engine/examples";
import type { LabelledValues } from "@tributary/engine/batches";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { rootUpdate, shuffledOrder, train, type TrainResult } from "@tributary/engine/training";
import { pairedVector } from "@tributary/metrics";
import { updateSchema } from "@tributary/protocol";
import { measureExamples, updateBody } from "@tributary/runtime/internal-node";
import { parameterSet, type ParameterSet } from "@tributary/tensor";
import { move, transferableSymbol, valueSymbol, workerData } from "piscina";
import type { ClientExamples } from "../data/client-data.ts";
import { IMAGE_PIXELS } from "../digits/pen.ts";
import { generateDigits } from "../digits/digits.ts";
import type {
  MeasuredVector,
  MeasureTask,
  ThreadAnswer,
  ThreadTask,
  TrainedUpdate,
  TrainTask,
  TrainingThreadData,
} from "./training-tasks.ts";

// A worker thread: trains and evaluates for one client after the other, on one engine with one thread, so that the bits
// of a result do not depend on how many threads there are.

type Answer = ThreadAnswer<TrainedUpdate | EvaluationSums | MeasuredVector | Float32Array>;

const data = workerData as TrainingThreadData;
const engine = await createOrtNodeEngine();
const trainingSession = await engine.load(data.training.model);
const measurementSession = data.measurement && (await engine.load(data.measurement.model));
const evaluationSession = await engine.load(data.evaluation.model);
// By the model's names: a graph that loops over steps calls its inputs otherwise.
const { inputs, features } = data.evaluation.spec;
const weightSchema = updateSchema(data.layout, "weight");
const inputNames = (inputs ?? [features]).map(({ name }) => name);
const columns = data.table === null ? [] : inputColumns(data.table, inputNames);

export default async function run(task: ThreadTask): Promise<unknown> {
  try {
    if (task.type === "evaluate") return { value: await evaluated(task) } satisfies Answer;
    if (task.type === "measure") return { value: await measured(task) } satisfies Answer;
    if (task.type === "root-update") return { value: await serversOwn(task) } satisfies Answer;
    const result = await trained(task);
    const value: TrainedUpdate =
      task.report === null
        ? { type: "values", ...result }
        : {
            type: "body",
            numExamples: result.numExamples,
            ...updateBody(task.report, { update: data.layout }, result),
          };
    const answer: Answer = { value };
    // Goes over; it is not copied.
    const { buffer } = value.type === "body" ? value.body : value.update;
    return move({
      get [transferableSymbol]() {
        return buffer;
      },
      get [valueSymbol]() {
        return answer;
      },
    });
  } catch (error) {
    if (!TributaryError.is(error)) throw error;
    const { code, message, detail } = error;
    return { failure: { code, message, detail } } satisfies Answer;
  }
}

/** As a held-out device measures. */
async function measured({
  examples: of,
  maxExamples,
  bounds,
  seed,
  ...versions
}: MeasureTask): Promise<MeasuredVector> {
  const { spec } = data.measurement!;
  const examples = examplesOf(of);
  const order = shuffledOrder(examples.length, seededRandom(seed)).slice(0, maxExamples);
  const signal = new AbortController().signal;
  const session = measurementSession!;
  const measure = (values: Float32Array) => {
    const weights = parameterSet(data.parameters, Float32Array.from(values));
    return measureExamples({ session, spec, weights, examples, order, signal });
  };
  const current = await measure(versions.current);
  return {
    vector: pairedVector(current, await measure(versions.candidate), bounds),
    numExamples: order.length,
  };
}

function trained(task: TrainTask): Promise<TrainResult> {
  const { epochs, learningRate, offsets, maxExamples } = task;
  return train({
    session: trainingSession,
    spec: data.training.spec,
    layout: data.layout,
    base: baseOf(task),
    examples: examplesOf(task.examples),
    epochs,
    learningRate,
    offsets: offsets === null ? undefined : parameterSet(weightSchema, Float32Array.from(offsets)),
    maxExamples,
    random: seededRandom(task.seed),
  });
}

async function serversOwn(task: Extract<ThreadTask, { type: "root-update" }>): Promise<Float32Array> {
  const { values, version, epochs, learningRate, maxExamples, seed } = task;
  const { update } = await rootUpdate({
    epochs,
    learningRate,
    maxExamples,
    seed,
    session: trainingSession,
    spec: data.training.spec,
    layout: data.layout,
    base: baseOf({ values, version }),
    data: data.trusted!,
    inputs: inputNames,
  });
  return update;
}

let base: { readonly version: number; readonly parameters: ParameterSet } | undefined;

/** Copied out of shared memory once a version. */
function baseOf({ version, values }: Pick<TrainTask, "version" | "values">): ParameterSet {
  if (base?.version !== version) {
    base = { version, parameters: parameterSet(data.parameters, Float32Array.from(values)) };
  }
  return base.parameters;
}

function evaluated({ values, from, to }: Extract<ThreadTask, { type: "evaluate" }>): Promise<EvaluationSums> {
  return evaluationSums({
    session: evaluationSession,
    spec: data.evaluation.spec,
    data: data.heldOut!,
    values: Float32Array.from(values),
    from,
    to,
  });
}

function examplesOf(examples: ClientExamples): LabelledValues[] {
  switch (examples.type) {
    case "rows":
      return Array.from(examples.rows, (row) => exampleOf(data.table!, columns, row));
    case "writer": {
      const { writer, count, distribution } = examples;
      const shard = generateDigits({ seed: data.dataSeed, writer, count, distribution });
      return Array.from(shard.labels, (label, i) => ({
        inputs: [shard.images.subarray(i * IMAGE_PIXELS, (i + 1) * IMAGE_PIXELS)],
        label,
      }));
    }
  }
}
