import { failure } from "@tributary/core";

/** Optimizers by name; with settings, {@link OptimizerOptions}. */
export type OptimizerName = OptimizerOptions["kind"];

/**
 * An update rule and its settings, as PyTorch's torch.optim defines them. The learning rate is not among them: it is
 * fed with every step, so that a schedule needs no new graph.
 */
export type OptimizerOptions =
  /** w -= lr * (g + weightDecay * w) */
  | { readonly kind: "sgd"; readonly weightDecay?: number }
  /** b = momentum * b + g; w -= lr * b, or lr * (g + momentum * b) with `nesterov`. */
  | {
      readonly kind: "momentum";
      /** @defaultValue 0.9 */
      readonly momentum?: number;
      /** @defaultValue false */
      readonly nesterov?: boolean;
      readonly weightDecay?: number;
    }
  /** Weight decay is part of the gradient. @defaultValue weightDecay 0 */
  | ({ readonly kind: "adam" } & AdamSettings)
  /** Weight decay apart from the gradient: w *= 1 - lr * weightDecay. @defaultValue weightDecay 0.01 */
  | ({ readonly kind: "adamw" } & AdamSettings);

export interface AdamSettings {
  /** @defaultValue 0.9 */
  readonly beta1?: number;
  /** @defaultValue 0.999 */
  readonly beta2?: number;
  /** @defaultValue 1e-8 */
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/** An update rule with nothing left open. */
export type OptimizerRule =
  | { readonly kind: "sgd"; readonly weightDecay: number }
  | {
      readonly kind: "momentum";
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly weightDecay: number;
    }
  | ({ readonly kind: "adam" | "adamw" } & Required<AdamSettings>);

/** Fills in the defaults. Errors: `onnx/invalid-option` on a kind that is none; RangeError on a number out of its range. */
export function optimizerRule(optimizer: OptimizerName | OptimizerOptions): OptimizerRule {
  const options: OptimizerOptions = typeof optimizer === "string" ? { kind: optimizer } : optimizer;
  const weightDecay = options.weightDecay ?? (options.kind === "adamw" ? 0.01 : 0);
  check("weightDecay", weightDecay, weightDecay >= 0);
  switch (options.kind) {
    case "sgd":
      return { kind: "sgd", weightDecay };
    case "momentum": {
      const { momentum = 0.9, nesterov = false } = options;
      check("momentum", momentum, momentum >= 0 && momentum < 1);
      return { kind: "momentum", momentum, nesterov, weightDecay };
    }
    case "adam":
    case "adamw": {
      const { kind, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = options;
      check("beta1", beta1, beta1 >= 0 && beta1 < 1);
      check("beta2", beta2, beta2 >= 0 && beta2 < 1);
      check("epsilon", epsilon, epsilon >= 0);
      return { kind, beta1, beta2, epsilon, weightDecay };
    }
    default:
      throw failure(
        "onnx/invalid-option",
        `onnx: optimizer "${String((options satisfies never as OptimizerOptions).kind)}" is none; use one of none, sgd, momentum, adam, adamw`,
      );
  }
}

function check(name: string, value: number, inRange: boolean): void {
  if (!inRange || !Number.isFinite(value)) throw new RangeError(`optimizer: ${name} is ${value}`);
}

/** What changes the gradient before the update rule sees it. */
export interface GradientOptions {
  /** Most length of all gradients taken as one vector; longer ones are scaled down to it. Above 0. */
  readonly clipGradientNorm?: number | undefined;
  /** FedProx's mu: adds mu * (w - base) to the gradient, where base is what the round began with. Above 0. */
  readonly proximalTerm?: number | undefined;
  /** SCAFFOLD: what is fed beside each weight is added to its gradient, once that is clipped. @defaultValue false */
  readonly gradientOffsets?: boolean | undefined;
}

/** Errors: RangeError. */
export function checkGradientOptions({ clipGradientNorm, proximalTerm }: GradientOptions): void {
  for (const [name, value] of Object.entries({ clipGradientNorm, proximalTerm })) {
    if (value !== undefined && !(value > 0 && Number.isFinite(value))) {
      throw new RangeError(`${name} must be a finite number above 0, got ${value}`);
    }
  }
}

/** Keeps the divisor of the clipping factor off zero, as torch.nn.utils.clip_grad_norm_ does. */
export const NORM_EPSILON = 1e-6;
