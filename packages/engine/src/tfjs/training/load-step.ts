import { failure } from "@tributary/core";
import type { TfjsStep } from "@tributary/protocol";
import { elementCount, tensor, type ParameterSpec } from "@tributary/tensor";
import * as tf from "@tensorflow/tfjs";
import type { TfjsArtifact } from "../artifact.ts";
import { weightsByName, type LayerWeight } from "../layer-weights.ts";
import { loadLayers } from "../model.ts";
import { trainingForms, type Masks } from "./layer-forms.ts";

/** A model and what a plan does with it. */
export interface PlannedArtifact extends TfjsArtifact {
  readonly step: TfjsStep;
}

/** A model whose parameters are variables that every run sets. */
export interface LoadedStep {
  readonly model: tf.LayersModel;
  /** Names of its outputs, in their order. */
  readonly outputs: readonly string[];
  /** By the parameter's name. */
  readonly variables: ReadonlyMap<string, tf.Variable>;
  /** Masks of the run under way. */
  masks: Masks;
}

/** @throws `engine/invalid-artifact` where the step does not fit the model */
export async function loadStep(artifact: PlannedArtifact): Promise<LoadedStep> {
  const { step, model: document } = artifact;
  const parameters = parametersOf(step);
  const missing = parameters.map(
    ({ name, shape }) =>
      [name, tensor("float32", [...shape], new Float32Array(elementCount(shape)))] as const,
  );
  const model = await loadLayers({ ...artifact, weights: new Map([...artifact.weights, ...missing]) });
  try {
    const weights = weightsByName(model, document.weights);
    const variables = new Map(parameters.map((each) => [each.name, variableOf(weights, each)] as const));
    const outputs = document.outputs.map(({ name }) => name);
    const loaded: LoadedStep = { model, outputs, variables, masks: new Map() };
    const unread = step.losses.find(({ output }) => !outputs.includes(output));
    if (unread !== undefined) throw misfit(`a loss is put on "${unread.output}", which is no output`);
    if (step.kind === "train") trainingForms(model, step, weights, () => loaded.masks);
    return loaded;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function parametersOf({ spec }: TfjsStep): readonly ParameterSpec[] {
  return spec.kind === "train" ? [...spec.parameters, ...(spec.frozen ?? [])] : spec.parameters;
}

function variableOf(weights: ReadonlyMap<string, LayerWeight>, { name, shape }: ParameterSpec): tf.Variable {
  const weight = weights.get(name);
  if (weight === undefined) throw misfit(`it feeds "${name}", which is no weight of the model`);
  if (String(weight.shape) === String(shape)) return weight.read() as tf.Variable;
  throw misfit(`it feeds "${name}" as [${shape.join()}], the model has [${weight.shape.join()}]`);
}

function misfit(problem: string): Error {
  return failure("engine/invalid-artifact", `tfjs: the step does not fit its model: ${problem}`);
}
