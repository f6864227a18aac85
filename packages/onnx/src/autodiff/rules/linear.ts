import { floatAttribute, intAttribute } from "../../ir/attributes.ts";
import type { GraphBuilder } from "../../ir/graph-builder.ts";
import type { GradContext, GradRule } from "../rule.ts";
import { unbroadcast } from "../rule.ts";

/** op(a) · op(b) of two matrices. */
function product(
  builder: GraphBuilder,
  a: string,
  b: string,
  transA: boolean,
  transB: boolean,
  alpha = 1,
): string {
  return builder.op("Gemm", [a, b], {
    ...(transA ? { transA: 1 } : {}),
    ...(transB ? { transB: 1 } : {}),
    ...(alpha === 1 ? {} : { alpha: { float: alpha } }),
  });
}

/** Y = alpha·op(A)·op(B) + beta·C, where C broadcasts. */
export const gemm: GradRule = (context, dy) => {
  const { builder, node } = context;
  const transA = intAttribute(node, "transA", 0) !== 0;
  const transB = intAttribute(node, "transB", 0) !== 0;
  const alpha = floatAttribute(node, "alpha", 1);
  const beta = floatAttribute(node, "beta", 1);
  const [a, b, c] = [context.x(0), context.x(1), context.x(2)];
  const da = (): string =>
    transA ? product(builder, b, dy, transB, true, alpha) : product(builder, dy, b, false, !transB, alpha);
  const db = (): string =>
    transB ? product(builder, dy, a, true, transA, alpha) : product(builder, a, dy, !transA, false, alpha);
  const dc = (): string => {
    const scaled = beta === 1 ? dy : builder.op("Mul", [dy, builder.float(beta)]);
    return unbroadcast(builder, scaled, builder.shape(c));
  };
  return [
    context.needs(0) ? da() : undefined,
    context.needs(1) ? db() : undefined,
    context.needs(2) ? dc() : undefined,
  ];
};

/** Matrices through Gemm, a stack of matrices times one matrix as one tall Gemm, else batched. */
export const matMul: GradRule = (context, dy) => {
  const { builder } = context;
  const [a, b] = [context.x(0), context.x(1)];
  const [shapeA, shapeB] = [builder.shape(a), builder.shape(b)];
  if (shapeA.length < 2 || shapeB.length < 2) return vectorProduct(context, dy);
  if (shapeB.length === 2) {
    const [k, n] = [shapeB[0]!, shapeB[1]!];
    const rows = shapeA.slice(0, -1).reduce((product, dim) => product * dim, 1);
    const tallDy = builder.reshape(dy, [rows, n]);
    const da = (): string => builder.reshape(product(builder, tallDy, b, false, true), shapeA);
    const db = (): string => product(builder, builder.reshape(a, [rows, k]), tallDy, true, false);
    return [context.needs(0) ? da() : undefined, context.needs(1) ? db() : undefined];
  }
  const da = (): string => unbroadcast(builder, builder.op("MatMul", [dy, swapped(builder, b)]), shapeA);
  const db = (): string => unbroadcast(builder, builder.op("MatMul", [swapped(builder, a), dy]), shapeB);
  return [context.needs(0) ? da() : undefined, context.needs(1) ? db() : undefined];
};

/** A vector operand counts as a row on the left and as a column on the right. */
function vectorProduct(context: GradContext, dy: string): readonly (string | undefined)[] {
  const { builder } = context;
  const shapes = [0, 1].map((index) => builder.shape(context.x(index))) as [number[], number[]];
  const [left, right] = [shapes[0].length === 1, shapes[1].length === 1];
  const matrices = [
    left ? builder.reshape(context.x(0), [1, ...shapes[0]]) : context.x(0),
    right ? builder.reshape(context.x(1), [...shapes[1], 1]) : context.x(1),
  ];
  const batch = builder.shape(dy).slice(0, builder.shape(dy).length - Number(!left) - Number(!right));
  const rows = left ? 1 : shapes[0].at(-2)!;
  const columns = right ? 1 : shapes[1].at(-1)!;
  const inner: GradContext = { ...context, x: (index) => matrices[index] ?? "" };
  return matMul(inner, builder.reshape(dy, [...batch, rows, columns])).map((gradient, i) =>
    gradient === undefined ? undefined : builder.reshape(gradient, shapes[i]!),
  );
}

/** The last two axes exchanged. */
function swapped(builder: GraphBuilder, value: string): string {
  const axes = [...builder.shape(value).keys()];
  const last = axes.pop()!;
  const before = axes.pop()!;
  return builder.op("Transpose", [value], { perm: [...axes, last, before] });
}
