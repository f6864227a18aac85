import type { GradientOptions, OptimizerName, OptimizerOptions, OptimizerRule } from "./optimizer.ts";
import { checkGradientOptions, NORM_EPSILON, optimizerRule } from "./optimizer.ts";

/** Steps of one optimizer over one flat vector of parameters. */
export interface Optimizer {
  /**
   * Updates `parameters` in place. `gradients` is left as it is. `base` is what the round began with, and needed with a
   * proximal term. Errors: RangeError where lengths differ, TypeError where `base` is missing.
   */
  step(parameters: Float32Array, gradients: Float32Array, learningRate: number, base?: Float32Array): void;
}

const f32 = Math.fround;

/**
 * The update rules that training graphs can hold, in JavaScript, for engines where they cost no more outside: rounded to
 * float32 after every operation, as a graph does. `length` is the number of all parameters together.
 * Errors: RangeError on a setting out of its range.
 */
export function createOptimizer(
  optimizer: OptimizerName | OptimizerOptions,
  length: number,
  options: GradientOptions = {},
): Optimizer {
  checkGradientOptions(options);
  const update = updateOf(optimizerRule(optimizer), length);
  const gradient = new Float32Array(length);
  return {
    step(parameters, gradients, learningRate, base) {
      for (const [name, { length: got }] of Object.entries({
        parameters,
        gradients,
        base: base ?? gradients,
      })) {
        if (got !== length)
          throw new RangeError(`optimizer: ${length} numbers expected as ${name}, got ${got}`);
      }
      gradient.set(gradients);
      if (options.proximalTerm !== undefined) {
        if (base === undefined) throw new TypeError("optimizer: a proximal term needs the base weights");
        const mu = f32(options.proximalTerm);
        for (let i = 0; i < length; i++) gradient[i]! += f32(f32(parameters[i]! - base[i]!) * mu);
      }
      if (options.clipGradientNorm !== undefined) clip(gradient, options.clipGradientNorm);
      update(parameters, gradient, f32(learningRate));
    },
  };
}

function clip(gradient: Float32Array, most: number): void {
  let square = 0;
  for (const value of gradient) square += value * value;
  const factor = f32(Math.min(1, most / (Math.sqrt(square) + NORM_EPSILON)));
  for (let i = 0; i < gradient.length; i++) gradient[i]! *= factor;
}

type Update = (weights: Float32Array, gradient: Float32Array, rate: number) => void;

function updateOf(rule: OptimizerRule, length: number): Update {
  const decay = f32(rule.weightDecay);
  const withDecay: Update = (weights, gradient) => {
    if (decay === 0) return;
    for (let i = 0; i < length; i++) gradient[i]! += f32(weights[i]! * decay);
  };
  switch (rule.kind) {
    case "sgd":
      return (weights, gradient, rate) => {
        withDecay(weights, gradient, rate);
        for (let i = 0; i < length; i++) weights[i]! -= f32(gradient[i]! * rate);
      };
    case "momentum": {
      const buffer = new Float32Array(length);
      const momentum = f32(rule.momentum);
      return (weights, gradient, rate) => {
        withDecay(weights, gradient, rate);
        for (let i = 0; i < length; i++) {
          const next = f32(f32(buffer[i]! * momentum) + gradient[i]!);
          buffer[i] = next;
          const direction = rule.nesterov ? f32(gradient[i]! + f32(next * momentum)) : next;
          weights[i]! -= f32(direction * rate);
        }
      };
    }
    default: {
      const adam = adamOf(rule, length);
      if (rule.kind === "adamw") return adam;
      return (weights, gradient, rate) => {
        withDecay(weights, gradient, rate);
        adam(weights, gradient, rate);
      };
    }
  }
}

function adamOf(rule: Extract<OptimizerRule, { readonly kind: "adam" | "adamw" }>, length: number): Update {
  const [m, v] = [new Float32Array(length), new Float32Array(length)];
  const [beta1, beta2] = [f32(rule.beta1), f32(rule.beta2)];
  const [rest1, rest2] = [f32(1 - rule.beta1), f32(1 - rule.beta2)];
  const epsilon = f32(rule.epsilon);
  const decay = rule.kind === "adamw" ? f32(rule.weightDecay) : 0;
  let [correction1, correction2] = [0, 0];
  return (weights, gradient, rate) => {
    correction1 = f32(f32(correction1 * beta1) + rest1);
    correction2 = f32(f32(correction2 * beta2) + rest2);
    const [root, scaled] = [f32(Math.sqrt(correction2)), f32(rate / correction1)];
    const shrink = f32(1 - f32(rate * decay));
    for (let i = 0; i < length; i++) {
      const g = gradient[i]!;
      const first = f32(f32(m[i]! * beta1) + f32(g * rest1));
      const second = f32(f32(v[i]! * beta2) + f32(f32(g * g) * rest2));
      m[i] = first;
      v[i] = second;
      const divisor = f32(f32(f32(Math.sqrt(second)) / root) + epsilon);
      weights[i] = f32(f32(weights[i]! * shrink) - f32(f32(first / divisor) * scaled));
    }
  };
}
