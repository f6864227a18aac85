/** Whether a table of examples is one that a task can learn from, or be measured on. */
import type { GraphPort, LossSpec, TaskSpec } from "@tributary/protocol";
import { elementCount } from "@tributary/tensor";
import { inputColumns, type ExampleTable, type LabelColumn } from "./examples.ts";

/**
 * What does not fit: a row of an input's size, and for each output that is learned classes among its own, or numbers, as
 * the loss needs; undefined where all does.
 *
 * @throws `dataset/mismatch` for an input without a column
 */
export function tableProblem(
  table: ExampleTable,
  spec: Pick<TaskSpec, "loss" | "moreLosses">,
  model: { readonly inputs: readonly GraphPort[]; readonly outputs: readonly GraphPort[] },
): string | undefined {
  return inputProblem(table, model.inputs) ?? labelProblem(table, spec, model.outputs);
}

function inputProblem(table: ExampleTable, ports: readonly GraphPort[]): string | undefined {
  const columns = inputColumns(
    table,
    ports.map(({ name }) => name),
  );
  for (const [i, { name, dtype, shape }] of ports.entries()) {
    const column = columns[i]!;
    const size = elementCount(column.shape.slice(1));
    // The first dimension of an input is the batch; others that are free fit anything.
    const wanted = shape.slice(1);
    if (!wanted.includes(-1) && size !== elementCount(wanted)) {
      return `a row of its "${name}" has ${size} values, the model takes ${elementCount(wanted)} (${wanted.join("x")})`;
    }
    const isFloat = (each: string): boolean => each.startsWith("float");
    if (
      (isFloat(column.dtype) && !isFloat(dtype)) ||
      (dtype === "float16") !== (column.dtype === "float16")
    ) {
      return `its "${name}" is ${column.dtype}, the model takes ${dtype}`;
    }
  }
  return undefined;
}

function labelProblem(
  { labels }: ExampleTable,
  { loss, moreLosses }: Pick<TaskSpec, "loss" | "moreLosses">,
  outputs: readonly GraphPort[],
): string | undefined {
  const losses = [loss, ...moreLosses];
  // What graphs read, the training graph says when it is built.
  if (losses.some(({ kind }) => kind === "graph")) return undefined;
  const only = labels.get("");
  if (losses.length > 1 && only !== undefined) {
    return `it has "labels", the task learns several outputs: "labels.<output>" of each`;
  }
  for (const each of losses) {
    const output = outputs.find(({ name }) => name === (each.output ?? outputs[0]?.name));
    // That there is no such output is said by the training graph.
    if (output === undefined) continue;
    const column = only ?? labels.get(output.name);
    if (column === undefined) {
      return `it has no "labels.${output.name}", but ${[...labels.keys()].map((name) => `"labels.${name}"`).join(", ")}`;
    }
    const problem = columnProblem(column, each, output);
    if (problem !== undefined) return losses.length === 1 ? problem : `"labels.${output.name}": ${problem}`;
  }
  return undefined;
}

function columnProblem(
  { values, size }: LabelColumn,
  { kind }: LossSpec,
  output: GraphPort,
): string | undefined {
  if (kind !== "softmax-cross-entropy") {
    const wanted = output.shape.slice(1);
    if (wanted.includes(-1) || size === elementCount(wanted)) return undefined;
    const has = values instanceof Int32Array ? "one class" : `${size} numbers`;
    return `it has ${has} for each example, the loss ${kind} on "${output.name}" takes ${elementCount(wanted)} numbers (float32 [N, ...])`;
  }
  if (!(values instanceof Int32Array)) return `its labels are numbers, the loss ${kind} takes int32 [N]`;
  const classes = output.shape.at(-1) ?? -1;
  const outside = values.find((label) => label < 0 || (classes > 0 && label >= classes));
  return outside === undefined ? undefined : `label ${outside} is none of the model's ${classes} classes`;
}
