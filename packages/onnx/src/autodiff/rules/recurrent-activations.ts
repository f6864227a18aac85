import { failure } from "@tributary/core";
import { floatAttribute, nodeLabel } from "../../ir/attributes.ts";
import type { Node } from "../../ir/model.ts";
import type { Calculator } from "./calculator.ts";

export type Activation = (x: string) => string;

/** How an activation is written, and which of alpha and beta it takes when they are left out. */
interface Form {
  readonly alpha?: number;
  readonly beta?: number;
  readonly write: (calc: Calculator, x: string, alpha: number, beta: number) => string;
}

/** The activations of RNN, GRU and LSTM, with the defaults of the operators they are called after (ONNX LSTM-7). */
const FORMS: Readonly<Record<string, Form>> = {
  affine: { alpha: 1, beta: 0, write: (calc, x, a, b) => calc.add(calc.mul(x, a), b) },
  elu: {
    alpha: 1,
    write: (calc, x, a) => {
      const below = calc.mul(calc.sub(calc.exp(calc.where(calc.less(x, 0), x, 0)), 1), a);
      return calc.where(calc.greater(x, 0), x, below);
    },
  },
  hardsigmoid: {
    alpha: 0.2,
    beta: 0.5,
    write: (calc, x, a, b) => {
      const line = calc.add(calc.mul(x, a), b);
      return calc.where(calc.less(line, 0), 0, calc.where(calc.greater(line, 1), 1, line));
    },
  },
  leakyrelu: { alpha: 0.01, write: (calc, x, a) => calc.where(calc.greater(x, 0), x, calc.mul(x, a)) },
  relu: { write: (calc, x) => calc.where(calc.greater(x, 0), x, 0) },
  scaledtanh: { alpha: 1, beta: 1, write: (calc, x, a, b) => calc.mul(calc.tanh(calc.mul(x, b)), a) },
  sigmoid: { write: (calc, x) => calc.sigmoid(x) },
  softplus: {
    write: (calc, x) => {
      const small = calc.log(calc.add(1, calc.exp(calc.neg(calc.abs(x)))));
      return calc.add(calc.where(calc.greater(x, 0), x, 0), small);
    },
  },
  softsign: { write: (calc, x) => calc.div(x, calc.add(1, calc.abs(x))) },
  tanh: { write: (calc, x) => calc.tanh(x) },
  thresholdedrelu: { alpha: 1, write: (calc, x, a) => calc.where(calc.greater(x, a), x, 0) },
};

/**
 * The activations of each direction, behind the clip of what goes into them. alpha and beta are handed out in the
 * order of the activations that take one.
 */
export function recurrentActivations(
  calc: Calculator,
  node: Node,
  usual: readonly string[],
  directions: number,
): readonly (readonly Activation[])[] {
  const given = node.attributes.get("activations");
  const names =
    given?.type === "strings" && given.value.length > 0
      ? given.value.map((bytes) => new TextDecoder().decode(bytes))
      : Array.from({ length: directions }, () => usual).flat();
  if (names.length !== directions * usual.length) {
    throw failure(
      "onnx/invalid-model",
      `onnx: ${nodeLabel(node)}: ${names.length} activations, expected ${usual.length} for each of ${directions} directions`,
    );
  }
  const [alphas, betas] = ["activation_alpha", "activation_beta"].map((name) => {
    const list = node.attributes.get(name);
    return list?.type === "floats" ? [...list.value] : [];
  });
  const limit = floatAttribute(node, "clip", 0);
  const made = names.map((name, i): Activation => {
    // As in onnxruntime, the cell state goes into the last function of an LSTM as it is.
    const clips = limit > 0 && i % usual.length < 2;
    const form = FORMS[name.toLowerCase()];
    if (form === undefined) {
      throw failure("onnx/no-gradient", `onnx: ${nodeLabel(node)}: activation ${name} cannot be trained`);
    }
    const alpha = form.alpha === undefined ? 0 : (alphas!.shift() ?? form.alpha);
    const beta = form.beta === undefined ? 0 : (betas!.shift() ?? form.beta);
    return (x) => form.write(calc, clips ? clipped(calc, x, limit) : x, alpha, beta);
  });
  return Array.from({ length: directions }, (_, d) => made.slice(d * usual.length, (d + 1) * usual.length));
}

function clipped(calc: Calculator, x: string, limit: number): string {
  return calc.where(calc.greater(x, limit), limit, calc.where(calc.less(x, -limit), -limit, x));
}
