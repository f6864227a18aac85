import { floatAttribute } from "../../ir/attributes.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { unbroadcast } from "../rule.ts";

/** A rule of a binary operator from its two partial products, each brought back to its input's shape. */
function binary(
  left: (context: GradContext, dy: string) => string,
  right: (context: GradContext, dy: string) => string,
): GradRule {
  return (context, dy) => {
    const { builder } = context;
    const back = (index: number, gradient: typeof left): string | undefined =>
      context.needs(index)
        ? unbroadcast(builder, gradient(context, dy), builder.shape(context.x(index)))
        : undefined;
    return [back(0, left), back(1, right)];
  };
}

/** A rule of a unary operator. */
function unary(gradient: (context: GradContext, dy: string) => string): GradRule {
  return (context, dy) => [gradient(context, dy)];
}

export const add: GradRule = binary(
  (_, dy) => dy,
  (_, dy) => dy,
);

export const sub: GradRule = binary(
  (_, dy) => dy,
  ({ builder }, dy) => builder.op("Neg", [dy]),
);

export const mul: GradRule = binary(
  (context, dy) => context.builder.op("Mul", [dy, context.x(1)]),
  (context, dy) => context.builder.op("Mul", [dy, context.x(0)]),
);

// d(a/b)/db = -y/b
export const div: GradRule = binary(
  (context, dy) => context.builder.op("Div", [dy, context.x(1)]),
  (context, dy) => {
    const { builder } = context;
    const ratio = builder.op("Div", [context.y(0), context.x(1)]);
    return builder.op("Neg", [builder.op("Mul", [dy, ratio])]);
  },
);

export const sum: GradRule = (context, dy) =>
  context.node.inputs.map((name, i) =>
    context.needs(i) ? unbroadcast(context.builder, dy, context.builder.shape(name)) : undefined,
  );

export const neg: GradRule = unary(({ builder }, dy) => builder.op("Neg", [dy]));

/** y > 0 exactly where x > 0, and y is at hand anyway. */
export const relu: GradRule = unary((context, dy) => {
  const { builder } = context;
  const positive = builder.op("Greater", [context.y(0), builder.float(0)]);
  return builder.op("Where", [positive, dy, builder.float(0)]);
});

export const leakyRelu: GradRule = unary((context, dy) => {
  const { builder, node } = context;
  const alpha = builder.float(floatAttribute(node, "alpha", 0.01));
  const positive = builder.op("Greater", [context.x(0), builder.float(0)]);
  return builder.op("Where", [positive, dy, builder.op("Mul", [dy, alpha])]);
});

export const sigmoid: GradRule = unary((context, dy) => {
  const { builder } = context;
  const y = context.y(0);
  const slope = builder.op("Mul", [y, builder.op("Sub", [builder.float(1), y])]);
  return builder.op("Mul", [dy, slope]);
});

export const tanh: GradRule = unary((context, dy) => {
  const { builder } = context;
  const y = context.y(0);
  const slope = builder.op("Sub", [builder.float(1), builder.op("Mul", [y, y])]);
  return builder.op("Mul", [dy, slope]);
});

export const exp: GradRule = unary((context, dy) => context.builder.op("Mul", [dy, context.y(0)]));

export const log: GradRule = unary((context, dy) => context.builder.op("Div", [dy, context.x(0)]));

export const sqrt: GradRule = unary((context, dy) => {
  const { builder } = context;
  const twice = builder.op("Mul", [context.y(0), builder.float(2)]);
  return builder.op("Div", [dy, twice]);
});

/** Identity, and Dropout as it is exported for inference. */
export const passThrough: GradRule = (_, dy) => [dy];
