import type { GradContext, GradRule } from "../rule.ts";
import { unbroadcast } from "../rule.ts";
import { calculator } from "./calculator.ts";

/** Min and Max: the first input that equals the result takes the gradient. */
export const extremum: GradRule = (context, dy) => {
  const { builder, node } = context;
  const calc = calculator(builder);
  let rest = dy;
  return node.inputs.map((name, i) => {
    const share = calc.where(calc.equal(name, context.y(0)), rest, 0);
    if (i < node.inputs.length - 1) rest = calc.sub(rest, share);
    return context.needs(i) ? unbroadcast(builder, share, builder.shape(name)) : undefined;
  });
};

/** What is not cut passes, the limits themselves too, as in PyTorch. */
export const clip: GradRule = (context, dy) => {
  const { builder } = context;
  const calc = calculator(builder);
  const x = context.x(0);
  const cut = (index: number, compare: (a: string, b: string) => string): string | undefined => {
    if (!context.needs(index)) return undefined;
    const limit = context.x(index);
    return unbroadcast(builder, calc.where(compare(x, limit), dy, 0), builder.shape(limit));
  };
  return [
    context.needs(0) ? calc.where(calc.equal(x, context.y(0)), dy, 0) : undefined,
    cut(1, calc.less),
    cut(2, calc.greater),
  ];
};

export const where: GradRule = (context, dy) => {
  const { builder } = context;
  const calc = calculator(builder);
  const condition = context.x(0);
  const back = (index: number, share: () => string): string | undefined =>
    context.needs(index) ? unbroadcast(builder, share(), builder.shape(context.x(index))) : undefined;
  return [
    undefined,
    back(1, () => calc.where(condition, dy, 0)),
    back(2, () => calc.where(condition, 0, dy)),
  ];
};

/** Numbers of another precision; integers and booleans end the gradient. */
export const cast: GradRule = (context: GradContext, dy) => {
  const from = context.builder.fact(context.x(0))?.elementType;
  const code = from === undefined ? undefined : FLOAT_CODES.get(from);
  return [code === undefined ? undefined : context.builder.op("Cast", [dy], { to: code })];
};

/** Numbers of the floating-point types in TensorProto.DataType. */
const FLOAT_CODES: ReadonlyMap<string, number> = new Map([
  ["float32", 1],
  ["float16", 10],
  ["float64", 11],
  ["bfloat16", 16],
]);
