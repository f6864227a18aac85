/** From gradients to the next weights in TensorFlow.js operators, as training graphs of ONNX compute them, rounding included. */
import * as tf from "@tensorflow/tfjs";
import type { TfjsTrainingStep } from "@tributary/protocol";

/** A weight before a step. */
export interface SteppedWeight {
  readonly name: string;
  readonly value: tf.Tensor;
  /** Null: the loss does not depend on it. */
  readonly gradient: tf.Tensor | null;
}

/** What else a step reads. */
export interface StepInputs {
  readonly learningRate: tf.Scalar;
  /** Of each weight in order, with a proximal term: what the round began with. */
  readonly bases: readonly tf.Tensor[];
  /** Of each weight in order, with control variates: what is added to its gradient. */
  readonly offsets: readonly tf.Tensor[];
  /** What the optimizer carries, by name. */
  readonly state: ReadonlyMap<string, tf.Tensor>;
}

export interface Stepped {
  readonly weights: readonly tf.Tensor[];
  /** By name; what a step does not move is left out. */
  readonly state: ReadonlyMap<string, tf.Tensor>;
}

/** Keeps the divisor of the clipping factor off zero, as torch.nn.utils.clip_grad_norm_ does. */
const NORM_EPSILON = 1e-6;

/** One step of the plan's optimizer. To be called inside `tf.tidy`. */
export function stepOf(
  { optimizer, clipGradientNorm, proximalTerm }: TfjsTrainingStep,
  weights: readonly SteppedWeight[],
  inputs: StepInputs,
): Stepped {
  const gradients = offset(clip(pull(weights, proximalTerm, inputs.bases), clipGradientNorm), inputs.offsets);
  const state = new Map<string, tf.Tensor>();
  const average = (name: string, beta: number, value: tf.Tensor): tf.Tensor => {
    const next = tf.add(tf.mul(inputs.state.get(name)!, beta), tf.mul(value, 1 - beta));
    state.set(name, next);
    return next;
  };
  const { kind, momentum = 0.9, nesterov = false, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = optimizer;
  const { weightDecay = kind === "adamw" ? 0.01 : 0 } = optimizer;
  const rate = inputs.learningRate;
  const isAdam = kind === "adam" || kind === "adamw";
  // 1 - beta^t of both moments, as averages of ones.
  const corrections = isAdam
    ? ([
        average("correction.first", beta1, tf.scalar(1)),
        tf.sqrt(average("correction.second", beta2, tf.scalar(1))),
      ] as const)
    : undefined;
  const next = weights.map(({ name, value }, i) => {
    const plain = gradients[i]!;
    if (plain === null) return value;
    const gradient =
      weightDecay === 0 || kind === "adamw" ? plain : tf.add(plain, tf.mul(value, weightDecay));
    if (corrections !== undefined) {
      const first = average(`first.${name}`, beta1, gradient);
      const second = average(`second.${name}`, beta2, tf.square(gradient));
      const divisor = tf.add(tf.div(tf.sqrt(second), corrections[1]), epsilon);
      const step = tf.mul(tf.div(first, divisor), tf.div(rate, corrections[0]));
      if (kind === "adam" || weightDecay === 0) return tf.sub(value, step);
      return tf.sub(tf.mul(value, tf.sub(1, tf.mul(rate, weightDecay))), step);
    }
    if (kind === "sgd") return tf.sub(value, tf.mul(gradient, rate));
    const buffer = tf.add(tf.mul(inputs.state.get(`momentum.${name}`)!, momentum), gradient);
    state.set(`momentum.${name}`, buffer);
    const direction = nesterov ? tf.add(gradient, tf.mul(buffer, momentum)) : buffer;
    return tf.sub(value, tf.mul(direction, rate));
  });
  return { weights: next, state };
}

type Gradients = readonly (tf.Tensor | null)[];

/** FedProx: mu · (w - base). */
function pull(
  weights: readonly SteppedWeight[],
  mu: number | undefined,
  bases: readonly tf.Tensor[],
): Gradients {
  return weights.map(({ value, gradient }, i) => {
    if (mu === undefined) return gradient;
    const drift = tf.mul(tf.sub(value, bases[i]!), mu);
    return gradient === null ? drift : tf.add(gradient, drift);
  });
}

/** All gradients taken as one vector are at most so long. */
function clip(gradients: Gradients, most: number | undefined): Gradients {
  const known = gradients.filter((gradient) => gradient !== null);
  if (most === undefined || known.length === 0) return gradients;
  const norm = tf.sqrt(tf.addN(known.map((gradient) => tf.sum(tf.square(gradient)))));
  const factor = tf.minimum(tf.div(most, tf.add(norm, NORM_EPSILON)), 1);
  return gradients.map((gradient) => gradient && tf.mul(gradient, factor));
}

/** SCAFFOLD: after clipping. */
function offset(gradients: Gradients, offsets: readonly tf.Tensor[]): Gradients {
  return gradients.map((gradient, i) => {
    const own = offsets[i];
    return gradient === null || own === undefined ? gradient : tf.add(gradient, own);
  });
}
