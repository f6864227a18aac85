import { intAttribute } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { Node } from "../../ir/model.ts";
import type { GraphTarget } from "../rule.ts";
import type { Calculator } from "./calculator.ts";
import { parts } from "./parts.ts";
import type { Activation } from "./recurrent-activations.ts";

/** What one direction's cell works with. */
export interface Cell {
  readonly builder: GraphBuilder;
  readonly calc: Calculator;
  readonly target: GraphTarget;
  /** Recurrent weights [gates·hidden, hidden]. */
  readonly recurrent: string;
  /** Recurrent bias [gates·hidden]; already in `input` unless the cell kept it apart. */
  readonly recurrentBias: string | undefined;
  /** What the cell state adds to the gates i, o, f of an LSTM, [3·hidden]; mostly none. */
  readonly peepholes: string | undefined;
  readonly activations: readonly Activation[];
  readonly node: Node;
}

/** From the input's share of the gates [batch, gates·hidden] and the state to the next state. */
export type Step = (cell: Cell, input: string, state: readonly string[]) => readonly string[];

function recurrentShare(cell: Cell, state: string, weights: string, bias?: string): string {
  return cell.builder.op("Gemm", [state, weights, ...(bias === undefined ? [] : [bias])], { transB: 1 });
}

/** Gates in the order i, o, f, c. */
export const lstmStep: Step = (cell, input, [h, c]) => {
  const { builder, calc, target, peepholes } = cell;
  const [gate, candidate, outer] = cell.activations as [Activation, Activation, Activation];
  const sum = calc.add(input, recurrentShare(cell, h!, cell.recurrent));
  const [i, o, f, g] = parts(builder, sum, 1, 4, target) as [string, string, string, string];
  const peep = peepholes === undefined ? [] : parts(builder, peepholes, 0, 3, target);
  const seen = (value: string, index: number, state: string): string =>
    peep.length === 0 ? value : calc.add(value, calc.mul(peep[index]!, state));
  const open = gate(seen(i, 0, c!));
  const coupled = intAttribute(cell.node, "input_forget", 0) !== 0;
  const keep = coupled ? calc.sub(1, open) : gate(seen(f, 2, c!));
  const next = calc.add(calc.mul(keep, c!), calc.mul(open, candidate(g)));
  return [calc.mul(gate(seen(o, 1, next)), outer(next)), next];
};

/** Gates in the order z, r, h. */
export const gruStep: Step = (cell, input, [h]) => {
  const { builder, calc, target, recurrentBias } = cell;
  const [gate, outer] = cell.activations as [Activation, Activation];
  const afterReset = intAttribute(cell.node, "linear_before_reset", 0) !== 0;
  const [xz, xr, xh] = parts(builder, input, 1, 3, target) as [string, string, string];
  const mix = (update: string, candidate: string): string =>
    calc.add(candidate, calc.mul(update, calc.sub(h!, candidate)));
  if (afterReset) {
    const share = recurrentShare(cell, h!, cell.recurrent, recurrentBias);
    const [hz, hr, hh] = parts(builder, share, 1, 3, target) as [string, string, string];
    const reset = gate(calc.add(xr, hr));
    const candidate = outer(calc.add(xh, calc.mul(reset, hh)));
    return [mix(gate(calc.add(xz, hz)), candidate)];
  }
  const [rz, rr, rh] = parts(builder, cell.recurrent, 0, 3, target) as [string, string, string];
  const update = gate(calc.add(xz, recurrentShare(cell, h!, rz)));
  const reset = gate(calc.add(xr, recurrentShare(cell, h!, rr)));
  const candidate = outer(calc.add(xh, recurrentShare(cell, calc.mul(reset, h!), rh)));
  return [mix(update, candidate)];
};

export const rnnStep: Step = (cell, input, [h]) => {
  const [outer] = cell.activations as [Activation];
  return [outer(cell.calc.add(input, recurrentShare(cell, h!, cell.recurrent)))];
};
