import type { ParameterSet } from "@tributary/tensor";
import { parameterSet } from "@tributary/tensor";
import { decodeModel } from "./ir/decode.ts";
import { encodeModel } from "./ir/encode.ts";
import { constantsToInitializers } from "./ir/fold-constants.ts";
import { inferenceGraph, runningStatistics } from "./ir/inference-graph.ts";
import type { Graph, Model, TensorValue } from "./ir/model.ts";
import type { Trainable } from "./ir/parameters.ts";
import { trainableInitializers } from "./ir/parameters.ts";
import { withTensorOutputs } from "./ir/tensor-outputs.ts";
import { floatValues } from "./ir/tensor-value.ts";
import { ADAPTERS_KEY } from "./adapters/adapter-list.ts";
import { PARAMETERS_KEY, writeParameterList } from "./parameter-list.ts";

export interface SplitModel {
  /** The model without its parameters; not a complete ONNX file until they are bound again. */
  readonly graph: Uint8Array<ArrayBuffer>;
  /** The same in training mode, as it was exported; left out where it was exported for inference. */
  readonly trainingGraph?: Uint8Array<ArrayBuffer>;
  /** In canonical (file) order. */
  readonly parameters: ParameterSet;
}

/**
 * Takes the trainable parameters out of a model, so that a new version only brings new weights, wherever the
 * exporter put them: among the initializers or in Constant nodes. Running statistics of batch normalizations are
 * parameters too, unless `trainable` says otherwise. What is left runs as in inference: a batch normalization exported
 * in training mode goes by its running statistics, no Dropout drops anything, and every output that can be is a tensor
 * ({@link withTensorOutputs}). A model without parameters, as a quantized one, is all graph.
 * {@link bindWeights} is the inverse. Errors: `onnx/nothing-trainable` and those of decodeModel.
 */
export function splitWeights(model: Uint8Array, trainable?: Trainable): SplitModel {
  const read = decodeModel(model);
  const decoded = { ...read, graph: constantsToInitializers(withTensorOutputs(read.graph)) };
  const tensors = takenInitializers(decoded, trainable);
  const schema = tensors.map(({ name, dims }) => ({ name, shape: [...dims] }));
  const parameters = parameterSet(schema);
  let offset = 0;
  for (const tensor of tensors) {
    const values = floatValues(tensor);
    parameters.values.set(values, offset);
    offset += values.length;
  }
  const taken = new Set(tensors.map(({ name }) => name));
  const encode = (graph: Graph): Uint8Array<ArrayBuffer> =>
    encodeModel({
      ...decoded,
      metadata: [
        ...decoded.metadata.filter(({ key }) => key !== PARAMETERS_KEY),
        { key: PARAMETERS_KEY, value: writeParameterList(schema) },
      ],
      graph: { ...graph, initializers: graph.initializers.filter(({ name }) => !taken.has(name)) },
    });
  const inference = inferenceGraph(decoded.graph);
  return {
    graph: encode(inference),
    ...(inference === decoded.graph ? {} : { trainingGraph: encode(decoded.graph) }),
    parameters,
  };
}

/** In file order. Of a model with adapters those alone. */
function takenInitializers(model: Model, trainable: Trainable | undefined): readonly TensorValue[] {
  const chosen = trainableInitializers(model, trainable);
  if (trainable !== undefined || model.metadata.some(({ key }) => key === ADAPTERS_KEY)) return chosen;
  const names = new Set([...chosen, ...runningStatistics(model.graph)].map(({ name }) => name));
  return model.graph.initializers.filter(
    ({ name, elementType }) => names.has(name) && elementType === "float32",
  );
}
