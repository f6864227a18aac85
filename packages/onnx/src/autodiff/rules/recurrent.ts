import { failure } from "@tributary/core";
import { intAttribute, nodeLabel, textAttribute } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Node } from "../../ir/model.ts";
import type { GraphTarget } from "../rule.ts";
import { calculator, type Calculator } from "./calculator.ts";
import { parts } from "./parts.ts";

/** Each step costs nodes. */
const MAX_STEPS = 512;

/** What one direction's cell works with. */
interface Cell {
  readonly builder: GraphBuilder;
  readonly calc: Calculator;
  readonly target: GraphTarget;
  /** Recurrent weights [gates·hidden, hidden]. */
  readonly recurrent: string;
  /** Recurrent bias [gates·hidden]; already in `input` unless the cell kept it apart. */
  readonly recurrentBias: string | undefined;
  readonly node: Node;
}

/** From the input's share of the gates [batch, gates·hidden] and the state to the next state. */
type Step = (cell: Cell, input: string, state: readonly string[]) => readonly string[];

interface Kind {
  readonly gates: number;
  readonly activations: readonly string[];
  /** Whether a cell state goes along with the hidden one. */
  readonly states: 1 | 2;
  readonly step: Step;
}

/** Writes a recurrent layer out, step by step: Y [T, D, B, H], then the last states [D, B, H]. */
function unroll(builder: GraphBuilder, node: Node, target: GraphTarget, kind: Kind): readonly string[] {
  checkForm(builder, node, kind);
  const [x, w, r, b = "", , ...initial] = node.inputs as [string, string, string, ...string[]];
  const [steps, batch] = builder.shape(x) as [number, number, number];
  const hidden = builder.shape(r)[2]!;
  const direction = textAttribute(node, "direction", "forward");
  const directions = builder.shape(w)[0]!;
  const weights = parts(builder, w, 0, directions, target);
  const recurrents = parts(builder, r, 0, directions, target);
  const biases = b === "" ? [] : parts(builder, b, 0, directions, target);
  const starts = Array.from({ length: kind.states }, (_, i) =>
    (initial[i] ?? "") === "" ? [] : parts(builder, initial[i]!, 0, directions, target),
  );
  const calc = calculator(builder);
  const runs = weights.map((weight, d) => {
    const backwards = direction === "reverse" || d === 1;
    const { shares, recurrentBias } = inputShares(builder, node, target, {
      x,
      weight,
      bias: biases[d],
      gates: kind.gates,
    });
    const recurrent = builder.reshape(recurrents[d]!, [kind.gates * hidden, hidden]);
    const cell: Cell = { builder, calc, target, recurrent, recurrentBias, node };
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
  return [
    joined(
      builder,
      runs.map(({ y }) => y),
      1,
    ),
    ...last,
  ];
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

function recurrentShare(cell: Cell, state: string, weights: string, bias?: string): string {
  return cell.builder.op("Gemm", [state, weights, ...(bias === undefined ? [] : [bias])], { transB: 1 });
}

/** Gates in the order i, o, f, c. */
const lstmStep: Step = (cell, input, [h, c]) => {
  const { builder, calc, target } = cell;
  const sum = calc.add(input, recurrentShare(cell, h!, cell.recurrent));
  const [i, o, f, g] = parts(builder, sum, 1, 4, target) as [string, string, string, string];
  const kept = calc.mul(calc.sigmoid(f), c!);
  const next = calc.add(kept, calc.mul(calc.sigmoid(i), calc.tanh(g)));
  return [calc.mul(calc.sigmoid(o), calc.tanh(next)), next];
};

/** Gates in the order z, r, h. */
const gruStep: Step = (cell, input, [h]) => {
  const { builder, calc, target, recurrentBias } = cell;
  const afterReset = intAttribute(cell.node, "linear_before_reset", 0) !== 0;
  const [xz, xr, xh] = parts(builder, input, 1, 3, target) as [string, string, string];
  const mix = (update: string, candidate: string): string =>
    calc.add(candidate, calc.mul(update, calc.sub(h!, candidate)));
  if (afterReset) {
    const share = recurrentShare(cell, h!, cell.recurrent, recurrentBias);
    const [hz, hr, hh] = parts(builder, share, 1, 3, target) as [string, string, string];
    const reset = calc.sigmoid(calc.add(xr, hr));
    const candidate = calc.tanh(calc.add(xh, calc.mul(reset, hh)));
    return [mix(calc.sigmoid(calc.add(xz, hz)), candidate)];
  }
  const [rz, rr, rh] = parts(builder, cell.recurrent, 0, 3, target) as [string, string, string];
  const update = calc.sigmoid(calc.add(xz, recurrentShare(cell, h!, rz)));
  const reset = calc.sigmoid(calc.add(xr, recurrentShare(cell, h!, rr)));
  const candidate = calc.tanh(calc.add(xh, recurrentShare(cell, calc.mul(reset, h!), rh)));
  return [mix(update, candidate)];
};

const rnnStep: Step = (cell, input, [h]) => {
  const { calc } = cell;
  return [calc.tanh(calc.add(input, recurrentShare(cell, h!, cell.recurrent)))];
};

function checkForm(builder: GraphBuilder, node: Node, kind: Kind): void {
  const refuse = (what: string): Error =>
    failure("onnx/no-gradient", `onnx: ${nodeLabel(node)}: ${what} cannot be trained`);
  const steps = builder.shape(node.inputs[0]!)[0]!;
  if (steps > MAX_STEPS) throw refuse(`${steps} steps, more than ${MAX_STEPS},`);
  if ((node.inputs[4] ?? "") !== "") throw refuse("a layer with sequence_lens");
  if ((node.inputs[7] ?? "") !== "") throw refuse("a layer with peepholes");
  for (const name of ["layout", "input_forget"]) {
    if (intAttribute(node, name, 0) !== 0) throw refuse(`${name} 1`);
  }
  if (node.attributes.has("clip")) throw refuse("clip");
  const given = node.attributes.get("activations");
  if (given === undefined) return;
  const names = given.type === "strings" ? given.value.map((bytes) => new TextDecoder().decode(bytes)) : [];
  const usual = names.every((name, i) => name === kind.activations[i % kind.activations.length]);
  if (!usual) throw refuse(`activations ${names.join(", ")}`);
}

const LSTM: Kind = { gates: 4, activations: ["Sigmoid", "Tanh", "Tanh"], states: 2, step: lstmStep };
const GRU: Kind = { gates: 3, activations: ["Sigmoid", "Tanh"], states: 1, step: gruStep };
const RNN: Kind = { gates: 1, activations: ["Tanh"], states: 1, step: rnnStep };

type Unrolled = (builder: GraphBuilder, node: Node, target: GraphTarget) => readonly string[];

export const lstmSteps: Unrolled = (builder, node, target) => unroll(builder, node, target, LSTM);
export const gruSteps: Unrolled = (builder, node, target) => unroll(builder, node, target, GRU);
export const rnnSteps: Unrolled = (builder, node, target) => unroll(builder, node, target, RNN);
