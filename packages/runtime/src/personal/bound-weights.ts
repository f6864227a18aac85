/** Changes of a training, put to a version's weights. */
import { failure } from "@tributary/core";
import { bindWeights } from "@tributary/onnx/bind";
import type { TrainingGraphDocument } from "@tributary/protocol";
import {
  elementCount,
  parameterSet,
  parameterView,
  tensor,
  type ParameterSet,
  type Tensor,
} from "@tributary/tensor";
import type { PersonalRecord } from "./personal-weights.ts";

type Changes = PersonalRecord["changes"];

/** What each trained tensor begins with, a version's value or zero, with its change. */
function changed(
  base: ParameterSet,
  changes: Changes,
  name: string,
  shape: readonly number[],
): Float32Array<ArrayBuffer> {
  const own = base.schema.some((known) => known.name === name);
  const change = changes.get(name);
  if (change !== undefined && change.data.length !== elementCount(shape)) {
    throw failure("store/corrupt", `store: personal weights have "${name}" in another shape than the model`);
  }
  const values = own ? parameterView(base, name).slice() : new Float32Array(elementCount(shape));
  if (change !== undefined) for (let i = 0; i < values.length; i++) values[i]! += change.data[i] as number;
  return values;
}

/** By the inputs of the training graph. */
export function trainedValues(
  spec: TrainingGraphDocument,
  base: ParameterSet,
  changes: Changes,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    spec.parameters.map(({ name, shape, input }) => [
      input,
      tensor("float32", [...shape], changed(base, changes, name, shape)),
    ]),
  );
}

/** The model that answers by them, whole. */
export function boundModel(
  graph: Uint8Array,
  base: ParameterSet,
  { changes, inference }: Pick<PersonalRecord, "changes" | "inference">,
): Uint8Array {
  const all = parameterSet(inference?.parameters ?? base.schema);
  for (const { name, shape } of all.schema) parameterView(all, name).set(changed(base, changes, name, shape));
  return bindWeights(inference?.graph ?? graph, all);
}
