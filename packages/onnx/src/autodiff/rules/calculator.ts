import type { GraphBuilder } from "../../ir/graph-builder.ts";

/** A value of the graph, or a number that becomes a float32 constant. */
export type Operand = string | number;

/** Arithmetic on values of a graph, written as functions: each call appends a node. */
export function calculator(builder: GraphBuilder) {
  const value = (operand: Operand): string =>
    typeof operand === "number" ? builder.float(operand) : operand;
  const binary =
    (opType: string) =>
    (a: Operand, b: Operand): string =>
      builder.op(opType, [value(a), value(b)]);
  const unary =
    (opType: string) =>
    (a: Operand): string =>
      builder.op(opType, [value(a)]);
  const where = (condition: string, a: Operand, b: Operand): string =>
    builder.op("Where", [condition, value(a), value(b)]);
  const greater = binary("Greater");
  const less = binary("Less");
  const mul = binary("Mul");
  return {
    value,
    add: binary("Add"),
    sub: binary("Sub"),
    mul,
    div: binary("Div"),
    pow: binary("Pow"),
    equal: binary("Equal"),
    greater,
    less,
    where,
    neg: unary("Neg"),
    exp: unary("Exp"),
    log: unary("Log"),
    sqrt: unary("Sqrt"),
    abs: unary("Abs"),
    erf: unary("Erf"),
    tanh: unary("Tanh"),
    sigmoid: unary("Sigmoid"),
    square: (a: string): string => mul(a, a),
    /** Keeps `a` where low < x < high, else zero. */
    between: (x: string, low: number, high: number, a: Operand): string =>
      where(greater(x, low), where(less(x, high), a, 0), 0),
    /** `a` with the sign of x, zero where x is zero. The Sign operator leaves the GPU. */
    signed: (x: string, a: string): string =>
      where(greater(x, 0), a, where(less(x, 0), builder.op("Neg", [a]), 0)),
    mean: (a: string, axes: readonly number[]): string =>
      builder.op("ReduceMean", [a, builder.int64s(axes)], { keepdims: 1 }),
    sum: (a: string, axes: readonly number[]): string => builder.reduceSum(a, axes, true),
    zeros: (shape: readonly number[]): string =>
      builder.op("Expand", [builder.float(0), builder.int64s(shape)]),
  };
}

export type Calculator = ReturnType<typeof calculator>;
