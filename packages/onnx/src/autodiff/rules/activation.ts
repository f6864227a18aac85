import { floatAttribute, textAttribute } from "../../ir/attributes.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { unbroadcast } from "../rule.ts";
import { calculator, type Calculator } from "./calculator.ts";

/** A rule from the factor that the gradient is multiplied with, at x and y = f(x). */
function slope(
  factor: (calc: Calculator, x: string, y: string, attribute: (name: string, or: number) => number) => string,
): GradRule {
  return (context, dy) => {
    const calc = calculator(context.builder);
    const attribute = (name: string, or: number): number => floatAttribute(context.node, name, or);
    return [calc.mul(dy, factor(calc, context.x(0), context.y(0), attribute))];
  };
}

const SELU_ALPHA = 1.67326319217681884765625;
const SELU_GAMMA = 1.05070102214813232421875;

export const abs: GradRule = (context, dy) => [calculator(context.builder).signed(context.x(0), dy)];

export const reciprocal: GradRule = slope((calc, _, y) => calc.neg(calc.square(y)));

export const sin: GradRule = (context, dy) => {
  const { builder } = context;
  return [builder.op("Mul", [dy, builder.op("Cos", [context.x(0)])])];
};

export const cos: GradRule = (context, dy) => {
  const { builder } = context;
  return [builder.op("Neg", [builder.op("Mul", [dy, builder.op("Sin", [context.x(0)])])])];
};

export const erf: GradRule = slope((calc, x) =>
  calc.mul(2 / Math.sqrt(Math.PI), calc.exp(calc.neg(calc.square(x)))),
);

export const elu: GradRule = slope((calc, x, y, attribute) =>
  calc.where(calc.greater(x, 0), 1, calc.add(y, attribute("alpha", 1))),
);

export const selu: GradRule = slope((calc, x, y, attribute) => {
  const gamma = attribute("gamma", SELU_GAMMA);
  const below = calc.add(y, attribute("alpha", SELU_ALPHA) * gamma);
  return calc.where(calc.greater(x, 0), gamma, below);
});

export const celu: GradRule = slope((calc, x, y, attribute) =>
  calc.where(calc.greater(x, 0), 1, calc.add(calc.div(y, attribute("alpha", 1)), 1)),
);

export const softplus: GradRule = slope((calc, x) => calc.sigmoid(x));

// 1/(1+|x|)² = (1-|y|)²
export const softsign: GradRule = slope((calc, _, y) => calc.square(calc.sub(1, calc.abs(y))));

export const hardSigmoid: GradRule = slope((calc, _, y, attribute) =>
  calc.between(y, 0, 1, attribute("alpha", 0.2)),
);

// x·h(x) with h = clip(x/6 + 1/2, 0, 1): its slope is 0 below -3, 1 above 3, else x/3 + 1/2
export const hardSwish: GradRule = slope((calc, x) =>
  calc.where(calc.greater(x, 3), 1, calc.where(calc.less(x, -3), 0, calc.add(calc.mul(x, 1 / 3), 0.5))),
);

export const thresholdedRelu: GradRule = slope((calc, x, _, attribute) =>
  calc.where(calc.greater(x, attribute("alpha", 1)), 1, 0),
);

/** log(1+eˣ) without overflow, of operators that every engine has. */
export function stableSoftplus(calc: Calculator, x: string): string {
  const positive = calc.where(calc.greater(x, 0), x, 0);
  return calc.add(positive, calc.log(calc.add(1, calc.exp(calc.neg(calc.abs(x))))));
}

// x·tanh(softplus(x))
export const mish: GradRule = slope((calc, x) => {
  const t = calc.tanh(stableSoftplus(calc, x));
  const rest = calc.mul(calc.sub(1, calc.square(t)), calc.sigmoid(x));
  return calc.add(t, calc.mul(x, rest));
});

const TANH_SCALE = Math.sqrt(2 / Math.PI);
const TANH_CUBIC = 0.044715;

export const gelu: GradRule = (context, dy) => {
  const calc = calculator(context.builder);
  const tanhForm = textAttribute(context.node, "approximate", "none") === "tanh";
  const factor = tanhForm ? geluTanhSlope(calc, context.x(0)) : geluSlope(calc, context.x(0));
  return [calc.mul(dy, factor)];
};

// Φ(x) + x·φ(x)
function geluSlope(calc: Calculator, x: string): string {
  const cdf = calc.mul(0.5, calc.add(1, calc.erf(calc.mul(x, Math.SQRT1_2))));
  const density = calc.mul(1 / Math.sqrt(2 * Math.PI), calc.exp(calc.mul(calc.square(x), -0.5)));
  return calc.add(cdf, calc.mul(x, density));
}

function geluTanhSlope(calc: Calculator, x: string): string {
  const squared = calc.square(x);
  const inner = calc.mul(calc.mul(x, TANH_SCALE), calc.add(1, calc.mul(squared, TANH_CUBIC)));
  const t = calc.tanh(inner);
  const innerSlope = calc.mul(TANH_SCALE, calc.add(1, calc.mul(squared, 3 * TANH_CUBIC)));
  const rest = calc.mul(calc.mul(x, calc.sub(1, calc.square(t))), innerSlope);
  return calc.mul(0.5, calc.add(calc.add(1, t), rest));
}

/** x where it is positive, slope·x where it is not; the slope broadcasts. */
export const pRelu: GradRule = (context, dy) => {
  const { builder } = context;
  const calc = calculator(builder);
  const [x, weight] = [context.x(0), context.x(1)];
  const negative = calc.less(x, 0);
  const back = (value: string, of: string): string => unbroadcast(builder, value, builder.shape(of));
  return [
    context.needs(0) ? calc.where(negative, calc.mul(dy, weight), dy) : undefined,
    context.needs(1) ? back(calc.where(negative, calc.mul(dy, x), 0), weight) : undefined,
  ];
};

// a^b: b·a^(b-1) and y·log(a), which is taken as 0 where a is not positive
export const pow: GradRule = (context, dy) => {
  const { builder } = context;
  const calc = calculator(builder);
  const [a, given] = [context.x(0), context.x(1)];
  const b = asFloat(context, given);
  const back = (value: string, of: string): string => unbroadcast(builder, value, builder.shape(of));
  const da = (): string => calc.mul(calc.mul(dy, b), calc.pow(a, calc.sub(b, 1)));
  const db = (): string => {
    const positive = calc.greater(a, 0);
    return calc.mul(
      dy,
      calc.mul(context.y(0), calc.where(positive, calc.log(calc.where(positive, a, 1)), 0)),
    );
  };
  return [context.needs(0) ? back(da(), a) : undefined, context.needs(1) ? back(db(), given) : undefined];
};

/** Exponents may be integers. */
function asFloat({ builder }: GradContext, value: string): string {
  return builder.fact(value)?.elementType === "float32" ? value : builder.op("Cast", [value], { to: 1 });
}
