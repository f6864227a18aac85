import type { ParameterSet } from "@tributary/tensor";
import { parameterSet } from "@tributary/tensor";
import { withInferenceBatchNorms } from "./ir/batch-norm.ts";
import { decodeModel } from "./ir/decode.ts";
import { encodeModel } from "./ir/encode.ts";
import { constantsToInitializers } from "./ir/fold-constants.ts";
import type { Trainable } from "./ir/parameters.ts";
import { trainableInitializers } from "./ir/parameters.ts";
import { floatValues } from "./ir/tensor-value.ts";
import { PARAMETERS_KEY, writeParameterList } from "./parameter-list.ts";

export interface SplitModel {
  /** The model without its parameters; not a complete ONNX file until they are bound again. */
  readonly graph: Uint8Array<ArrayBuffer>;
  /** In canonical (file) order. */
  readonly parameters: ParameterSet;
}

/**
 * Takes the trainable parameters out of a model, so that a new version only brings new weights, wherever the
 * exporter put them: among the initializers or in Constant nodes. What is left runs as in inference: a batch
 * normalization exported in training mode goes by its running statistics, which are parameters.
 * {@link bindWeights} is the inverse. Errors: `onnx/nothing-trainable` and those of decodeModel.
 */
export function splitWeights(model: Uint8Array, trainable?: Trainable): SplitModel {
  const read = decodeModel(model);
  const decoded = { ...read, graph: constantsToInitializers(read.graph) };
  const tensors = trainableInitializers(decoded, trainable);
  const schema = tensors.map(({ name, dims }) => ({ name, shape: [...dims] }));
  const parameters = parameterSet(schema);
  let offset = 0;
  for (const tensor of tensors) {
    const values = floatValues(tensor);
    parameters.values.set(values, offset);
    offset += values.length;
  }
  const taken = new Set(tensors.map(({ name }) => name));
  const graph = encodeModel({
    ...decoded,
    metadata: [
      ...decoded.metadata.filter(({ key }) => key !== PARAMETERS_KEY),
      { key: PARAMETERS_KEY, value: writeParameterList(schema) },
    ],
    graph: {
      ...withInferenceBatchNorms(decoded.graph),
      initializers: decoded.graph.initializers.filter(({ name }) => !taken.has(name)),
    },
  });
  return { graph, parameters };
}
