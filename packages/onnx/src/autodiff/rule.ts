import type { GraphBuilder } from "../ir/graph-builder.ts";
import type { Node } from "../ir/model.ts";

/** What a graph is for: picks among formulations that give the same numbers. */
export type GraphTarget = "cpu" | "webgpu";

/** What a gradient rule sees of one forward node. Values are names in the builder's graph. */
export interface GradContext {
  readonly node: Node;
  readonly builder: GraphBuilder;
  readonly target: GraphTarget;
  /** The i-th input's name; "" where it is left out. */
  x(index: number): string;
  /** The i-th output's name. */
  y(index: number): string;
  /** Gradient of the i-th output; undefined where nothing depends on that output. */
  dy(index: number): string | undefined;
  /** Whether a gradient of the i-th input is wanted. Rules skip the work where it is not. */
  needs(index: number): boolean;
  /** Differentiates other nodes of the builder's graph: gradients of the wanted values by name. */
  differentiate(
    nodes: readonly Node[],
    seeds: readonly Seed[],
    wanted: ReadonlySet<string>,
  ): ReadonlyMap<string, string>;
}

/** A value and its gradient, where differentiation begins. */
export interface Seed {
  readonly value: string;
  readonly gradient: string;
}

/** Vector-Jacobian product of one operator, given a gradient of output 0: a gradient per input. */
export type GradRule = (context: GradContext, dy: string) => readonly (string | undefined)[];

/** Sums a gradient over the axes along which its value was broadcast, back to `shape`. */
export function unbroadcast(builder: GraphBuilder, gradient: string, shape: readonly number[]): string {
  const from = builder.shape(gradient);
  const lead = from.length - shape.length;
  const axes = from.flatMap((size, i) => (i < lead || (shape[i - lead] === 1 && size !== 1) ? [i] : []));
  if (axes.length === 0) return builder.reshape(gradient, shape);
  return builder.reshape(builder.reduceSum(gradient, axes, false), shape);
}
