import { intAttribute, intsAttribute, nodeLabel } from "../../ir/attributes.ts";
import { normalAxis } from "../../ir/fact.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { calculator, type Calculator } from "./calculator.ts";

function reducedAxes(context: GradContext): readonly number[] {
  const { builder, node } = context;
  const shape = builder.shape(context.x(0));
  const listed = intsAttribute(node, "axes") ?? (builder.fact(context.x(1))?.values as number[] | undefined);
  if (listed !== undefined && listed.length > 0) {
    return listed.map((axis) => normalAxis(nodeLabel(node), axis, shape.length));
  }
  return intAttribute(node, "noop_with_empty_axes", 0) !== 0 ? [] : [...shape.keys()];
}

/** A reduced value with the reduced axes as ones again. */
function kept(context: GradContext, value: string, axes: readonly number[]): string {
  const shape = context.builder.shape(context.x(0));
  return context.builder.reshape(
    value,
    shape.map((dim, i) => (axes.includes(i) ? 1 : dim)),
  );
}

/** The gradient spread over the reduced axes, times `factor(number of summed elements)`. */
function spread(context: GradContext, dy: string, factor: (count: number) => number): string {
  const { builder } = context;
  const shape = builder.shape(context.x(0));
  const axes = reducedAxes(context);
  const count = axes.reduce((product, axis) => product * shape[axis]!, 1);
  const scale = factor(count);
  const scaled = scale === 1 ? dy : builder.op("Mul", [dy, builder.float(scale)]);
  return builder.op("Expand", [kept(context, scaled, axes), builder.int64s(shape)]);
}

/** A rule from the gradient at every element, where y and dy have been broadcast-ready again. */
function elementwise(
  gradient: (
    calc: Calculator,
    values: { readonly x: string; readonly y: string; readonly dy: string; readonly axes: readonly number[] },
  ) => string,
): GradRule {
  return (context, dy) => {
    const axes = reducedAxes(context);
    return [
      gradient(calculator(context.builder), {
        x: context.x(0),
        y: kept(context, context.y(0), axes),
        dy: kept(context, dy, axes),
        axes,
      }),
    ];
  };
}

export const reduceSum: GradRule = (context, dy) => [spread(context, dy, () => 1)];

export const reduceMean: GradRule = (context, dy) => [spread(context, dy, (count) => 1 / count)];

/** The mean over all spatial axes. */
export const globalAveragePool: GradRule = (context, dy) => {
  const { builder } = context;
  const shape = builder.shape(context.x(0));
  const count = shape.slice(2).reduce((product, dim) => product * dim, 1);
  const scaled = builder.op("Mul", [dy, builder.float(1 / count)]);
  return [builder.op("Expand", [scaled, builder.int64s(shape)])];
};

/** Elements that equal the extremum share its gradient, as in PyTorch's amax. */
function shareExtremum(calc: Calculator, x: string, y: string, dy: string, axes: readonly number[]): string {
  const hits = calc.where(calc.equal(x, y), 1, 0);
  return calc.mul(hits, calc.div(dy, calc.sum(hits, axes)));
}

/** ReduceMax and ReduceMin. */
export const reduceExtremum: GradRule = elementwise((calc, { x, y, dy, axes }) =>
  shareExtremum(calc, x, y, dy, axes),
);

export const globalMaxPool: GradRule = (context, dy) => {
  const axes = [...context.builder.shape(dy).keys()].slice(2);
  return [shareExtremum(calculator(context.builder), context.x(0), context.y(0), dy, axes)];
};

// The product of the others: y/x, but where an element is zero only that one has a gradient.
export const reduceProd: GradRule = (context, dy) => {
  const calc = calculator(context.builder);
  const axes = reducedAxes(context);
  const x = context.x(0);
  const zero = calc.equal(x, 0);
  const others = calc.where(zero, 1, x);
  const zeros = calc.sum(calc.where(zero, 1, 0), axes);
  const product = context.builder.op("ReduceProd", [others, context.builder.int64s(axes)], { keepdims: 1 });
  const gradient = kept(context, dy, axes);
  const single = calc.where(calc.equal(zeros, 1), product, 0);
  const usual = calc.div(calc.where(calc.equal(zeros, 0), product, 0), others);
  return [calc.mul(gradient, calc.where(zero, single, usual))];
};

export const reduceL1: GradRule = elementwise((calc, { x, dy }) =>
  calc.add(calc.where(calc.greater(x, 0), dy, 0), calc.where(calc.less(x, 0), calc.neg(dy), 0)),
);

// x/y, and zero where all elements are zero
export const reduceL2: GradRule = elementwise((calc, { x, y, dy }) =>
  calc.mul(x, calc.div(dy, calc.where(calc.greater(y, 0), y, 1))),
);

export const reduceLogSum: GradRule = (context, dy) => {
  const calc = calculator(context.builder);
  const axes = reducedAxes(context);
  const share = calc.mul(kept(context, dy, axes), calc.exp(calc.neg(kept(context, context.y(0), axes))));
  const shape = context.builder.int64s(context.builder.shape(context.x(0)));
  return [context.builder.op("Expand", [share, shape])];
};

export const reduceLogSumExp: GradRule = elementwise((calc, { x, y, dy }) =>
  calc.mul(dy, calc.exp(calc.sub(x, y))),
);

export const reduceSumSquare: GradRule = elementwise((calc, { x, dy }) => calc.mul(calc.mul(dy, 2), x));
