import { failure } from "@tributary/core";
import type { Plan, TrainingGraphDocument, UpdateLayout } from "@tributary/protocol";
import {
  elementCount,
  parameterView,
  sameShape,
  type ParameterSet,
  type ParameterSpec,
  type Tensor,
} from "@tributary/tensor";

/** What a tensor of an update begins a round with: a parameter at the base weights, anything else (an adapter) at zero. */
export function startValues(base: ParameterSet, { name, shape }: ParameterSpec): Float32Array<ArrayBuffer> {
  return base.schema.some((known) => known.name === name)
    ? parameterView(base, name)
    : new Float32Array(elementCount(shape));
}

/**
 * The update as the plan lays it out: trained minus base. What the graph does not train stays as it is.
 *
 * @param trained values by the graph's input names
 */
export function updateOf(
  layout: UpdateLayout,
  spec: TrainingGraphDocument,
  base: ParameterSet,
  trained: Readonly<Record<string, Tensor>>,
): Float32Array<ArrayBuffer> {
  const inputs = new Map(spec.parameters.map(({ name, input }) => [name, input]));
  const length = layout.tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0);
  const update = new Float32Array(length);
  let offset = 0;
  for (const tensor of layout.tensors) {
    const count = elementCount(tensor.shape);
    const input = inputs.get(tensor.name);
    if (input !== undefined) {
      const before = startValues(base, tensor);
      const after = trained[input]!.data as Float32Array;
      for (let i = 0; i < count; i++) update[offset + i] = after[i]! - before[i]!;
    }
    offset += count;
  }
  return update;
}

/**
 * Whether a plan's graph trains what its updates hold, and reads what its versions have.
 *
 * @throws `federation/plan-refused`
 */
export function checkUpdateLayout(plan: Plan, spec: TrainingGraphDocument): void {
  const published = new Map(plan.parameters.map(({ name, shape }) => [name, shape]));
  const sent = new Map(plan.update.tensors.map(({ name, shape }) => [name, shape]));
  for (const { name, shape } of plan.update.tensors) {
    const own = published.get(name);
    if (own !== undefined && !sameShape(own, shape))
      throw refused(plan, `its update has "${name}" in another shape`);
  }
  for (const { name, shape } of spec.parameters) {
    const own = sent.get(name);
    if (own === undefined) throw refused(plan, `its graph trains "${name}", which no update holds`);
    if (!sameShape(own, shape)) throw refused(plan, `its graph trains "${name}" in another shape`);
  }
  const unknown = spec.frozen?.find(({ name }) => !published.has(name));
  if (unknown !== undefined) throw refused(plan, `its graph takes "${unknown.name}", which is no parameter`);
}

function refused({ task }: Plan, why: string): Error {
  return failure("federation/plan-refused", `learner: the plan of "${task}" is not followed: ${why}`, {
    detail: { task },
  });
}
