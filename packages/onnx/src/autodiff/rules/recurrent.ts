import { failure } from "@tributary/core";
import { intAttribute, nodeLabel, textAttribute } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Node } from "../../ir/model.ts";
import type { GraphTarget } from "../rule.ts";
import { calculator } from "./calculator.ts";
import { parts } from "./parts.ts";
import { recurrentActivations } from "./recurrent-activations.ts";
import { gruStep, lstmStep, rnnStep, type Cell, type Step } from "./recurrent-cells.ts";

/** Each step costs nodes. */
const MAX_STEPS = 512;

interface Kind {
  readonly gates: number;
  readonly activations: readonly string[];
  /** Whether a cell state goes along with the hidden one. */
  readonly states: 1 | 2;
  readonly step: Step;
}

/** Writes a recurrent layer out, step by step: Y [T, D, B, H], then the last states [D, B, H]. */
function unroll(builder: GraphBuilder, node: Node, target: GraphTarget, kind: Kind): readonly string[] {
  checkForm(builder, node);
  const [given, w, r, b = "", , ...more] = node.inputs as [string, string, string, ...string[]];
  const initial = more.slice(0, kind.states);
  const peepholes = kind.states === 2 ? (more[2] ?? "") : "";
  // layout 1 has the batch in front of the steps, and of the directions.
  const batchFirst = intAttribute(node, "layout", 0) !== 0;
  const turned = (value: string, perm: readonly number[]): string =>
    batchFirst ? builder.op("Transpose", [value], { perm }) : value;
  const x = turned(given, [1, 0, 2]);
  const [steps, batch] = builder.shape(x) as [number, number, number];
  const hidden = builder.shape(r)[2]!;
  const direction = textAttribute(node, "direction", "forward");
  const directions = builder.shape(w)[0]!;
  const weights = parts(builder, w, 0, directions, target);
  const recurrents = parts(builder, r, 0, directions, target);
  const biases = b === "" ? [] : parts(builder, b, 0, directions, target);
  const starts = Array.from({ length: kind.states }, (_, i) =>
    (initial[i] ?? "") === "" ? [] : parts(builder, turned(initial[i]!, [1, 0, 2]), 0, directions, target),
  );
  const peeps = peepholes === "" ? [] : parts(builder, peepholes, 0, directions, target);
  const calc = calculator(builder);
  const activations = recurrentActivations(calc, node, kind.activations, directions);
  const runs = weights.map((weight, d) => {
    const backwards = direction === "reverse" || d === 1;
    const { shares, recurrentBias } = inputShares(builder, node, target, {
      x,
      weight,
      bias: biases[d],
      gates: kind.gates,
    });
    const recurrent = builder.reshape(recurrents[d]!, [kind.gates * hidden, hidden]);
    const cell: Cell = {
      builder,
      calc,
      target,
      recurrent,
      recurrentBias,
      peepholes: peeps[d] === undefined ? undefined : builder.reshape(peeps[d], [3 * hidden]),
      activations: activations[d]!,
      node,
    };
    const shape = [batch, hidden];
    let state: readonly string[] = starts.map((start) =>
      start[d] === undefined ? calc.zeros(shape) : builder.reshape(start[d], shape),
    );
    const outputs: string[] = [];
    for (let t = 0; t < steps; t += 1) {
      const at = backwards ? steps - 1 - t : t;
      state = kind.step(cell, shares[at]!, state);
      outputs[at] = builder.reshape(state[0]!, [1, 1, batch, hidden]);
    }
    return { y: joined(builder, outputs, 0), state };
  });
  const last = Array.from({ length: kind.states }, (_, i) =>
    joined(
      builder,
      runs.map(({ state }) => builder.reshape(state[i]!, [1, batch, hidden])),
      0,
    ),
  );
  const all = joined(
    builder,
    runs.map(({ y }) => y),
    1,
  );
  return [turned(all, [2, 0, 1, 3]), ...last.map((state) => turned(state, [1, 0, 2]))];
}

/** x·Wᵀ of all steps in one product, then apart by step. */
function inputShares(
  builder: GraphBuilder,
  node: Node,
  target: GraphTarget,
  {
    x,
    weight,
    bias,
    gates,
  }: {
    readonly x: string;
    readonly weight: string;
    readonly bias: string | undefined;
    readonly gates: number;
  },
): { readonly shares: readonly string[]; readonly recurrentBias: string | undefined } {
  const [steps, batch, size] = builder.shape(x) as [number, number, number];
  const rows = builder.shape(weight)[1]!;
  const flat = builder.reshape(x, [steps * batch, size]);
  const matrix = builder.reshape(weight, [rows, size]);
  const halves = bias === undefined ? [] : parts(builder, builder.reshape(bias, [2 * rows]), 0, 2, target);
  const apart = gates === 3 && intAttribute(node, "linear_before_reset", 0) !== 0;
  const offset =
    halves.length === 0 ? [] : apart ? [halves[0]!] : [builder.op("Add", [halves[0]!, halves[1]!])];
  const product = builder.op("Gemm", [flat, matrix, ...offset], { transB: 1 });
  const byStep = parts(builder, builder.reshape(product, [steps, batch, rows]), 0, steps, target);
  return {
    shares: byStep.map((share) => builder.reshape(share, [batch, rows])),
    recurrentBias: apart ? halves[1] : undefined,
  };
}

function joined(builder: GraphBuilder, values: readonly string[], axis: number): string {
  return values.length === 1 ? values[0]! : builder.op("Concat", values, { axis });
}

function checkForm(builder: GraphBuilder, node: Node): void {
  const refuse = (what: string): Error =>
    failure("onnx/no-gradient", `onnx: ${nodeLabel(node)}: ${what} cannot be trained`);
  const x = builder.shape(node.inputs[0]!);
  const steps = intAttribute(node, "layout", 0) === 0 ? x[0]! : x[1]!;
  if (steps > MAX_STEPS) throw refuse(`${steps} steps, more than ${MAX_STEPS},`);
  const lengths = node.inputs[4] ?? "";
  if (lengths === "") return;
  const known = builder.fact(lengths)?.values;
  if (known === undefined || known.some((length) => length !== steps)) {
    throw refuse("a layer whose sequence_lens are not the full length of all sequences");
  }
}

const LSTM: Kind = { gates: 4, activations: ["Sigmoid", "Tanh", "Tanh"], states: 2, step: lstmStep };
const GRU: Kind = { gates: 3, activations: ["Sigmoid", "Tanh"], states: 1, step: gruStep };
const RNN: Kind = { gates: 1, activations: ["Tanh"], states: 1, step: rnnStep };

type Unrolled = (builder: GraphBuilder, node: Node, target: GraphTarget) => readonly string[];

export const lstmSteps: Unrolled = (builder, node, target) => unroll(builder, node, target, LSTM);
export const gruSteps: Unrolled = (builder, node, target) => unroll(builder, node, target, GRU);
export const rnnSteps: Unrolled = (builder, node, target) => unroll(builder, node, target, RNN);
