import { failure } from "@tributary/core";
import { elementCount, sameShape } from "./tensor.ts";

/** One named float32 tensor of a model. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** The trainable parameters of a model; the order (the graph's) is canonical. */
export type ParameterSchema = readonly ParameterSpec[];

/** Weights, or differences of weights: one flat vector in schema order, each tensor row-major. */
export interface ParameterSet {
  readonly schema: ParameterSchema;
  readonly values: Float32Array<ArrayBuffer>;
}

/** What a schema may hold; far above any model that fits a browser. */
export const SCHEMA_LIMITS = Object.freeze({
  maxParameters: 4096,
  maxNameBytes: 512,
  maxDimensions: 8,
  maxElements: 2 ** 29,
});

interface Layout {
  readonly count: number;
  readonly slots: ReadonlyMap<
    string,
    { readonly offset: number; readonly length: number; readonly shape: readonly number[] }
  >;
}

const layouts = new WeakMap<ParameterSchema, Layout>();

function layoutOf(schema: ParameterSchema): Layout {
  const known = layouts.get(schema);
  if (known !== undefined) return known;
  if (schema.length > SCHEMA_LIMITS.maxParameters)
    throw invalid(`at most ${SCHEMA_LIMITS.maxParameters} parameters expected, got ${schema.length}`);
  const slots = new Map<string, { offset: number; length: number; shape: readonly number[] }>();
  let count = 0;
  for (const { name, shape } of schema) {
    if (name === "" || name.length > SCHEMA_LIMITS.maxNameBytes)
      throw invalid(`a name of 1 to ${SCHEMA_LIMITS.maxNameBytes} characters expected, got ${name.length}`);
    if (slots.has(name)) throw invalid(`${JSON.stringify(name)} is named twice`);
    if (shape.length > SCHEMA_LIMITS.maxDimensions)
      throw invalid(
        `${name}: at most ${SCHEMA_LIMITS.maxDimensions} dimensions expected, got ${shape.length}`,
      );
    let length: number;
    try {
      length = elementCount(shape);
    } catch (cause) {
      throw invalid(`${name}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
    slots.set(name, { offset: count, length, shape });
    count += length;
    if (count > SCHEMA_LIMITS.maxElements) throw invalid(`more than ${SCHEMA_LIMITS.maxElements} elements`);
  }
  const layout = { count, slots };
  layouts.set(schema, layout);
  return layout;
}

const invalid = (what: string): Error => failure("tensor/invalid-schema", `schema: ${what}`);

/** Checks a schema from outside; throws `tensor/invalid-schema`. */
export function checkSchema(schema: ParameterSchema): void {
  layoutOf(schema);
}

/** Number of float32 values of a schema. */
export function parameterCount(schema: ParameterSchema): number {
  return layoutOf(schema).count;
}

/**
 * A set over the given values (not copied), or zeros.
 * @throws TributaryError `tensor/shape-mismatch` when their number is not the schema's
 */
export function parameterSet(schema: ParameterSchema, values?: Float32Array<ArrayBuffer>): ParameterSet {
  const count = parameterCount(schema);
  if (values !== undefined && values.length !== count) {
    throw failure(
      "tensor/shape-mismatch",
      `parameter set: the schema has ${count} values, got ${values.length}`,
      {
        detail: { expected: count, got: values.length },
      },
    );
  }
  return { schema, values: values ?? new Float32Array(count) };
}

/** Where a parameter lies in the flat vector; throws `tensor/missing`. */
export function parameterSlot(
  schema: ParameterSchema,
  name: string,
): { readonly offset: number; readonly length: number; readonly shape: readonly number[] } {
  const slot = layoutOf(schema).slots.get(name);
  if (slot === undefined)
    throw failure("tensor/missing", `parameter set: no parameter ${JSON.stringify(name)}`, {
      detail: { name },
    });
  return slot;
}

/** One parameter's values, sharing memory with the set. */
export function parameterView(set: ParameterSet, name: string): Float32Array<ArrayBuffer> {
  const { offset, length } = parameterSlot(set.schema, name);
  return set.values.subarray(offset, offset + length);
}

/** Whether two schemas name the same parameters with the same shapes in the same order. */
export function sameSchema(a: ParameterSchema, b: ParameterSchema): boolean {
  return (
    a === b ||
    (a.length === b.length &&
      a.every((spec, i) => spec.name === b[i]!.name && sameShape(spec.shape, b[i]!.shape)))
  );
}

/** Throws `tensor/schema-mismatch`, naming the first difference. */
export function requireSameSchema(a: ParameterSchema, b: ParameterSchema): void {
  if (sameSchema(a, b)) return;
  const at = Array.from({ length: Math.max(a.length, b.length) }).findIndex((_, i) => {
    const [left, right] = [a[i], b[i]];
    return (
      left === undefined ||
      right === undefined ||
      left.name !== right.name ||
      !sameShape(left.shape, right.shape)
    );
  });
  const show = (spec: ParameterSpec | undefined): string =>
    spec === undefined ? "nothing" : `${spec.name} [${spec.shape.join(", ")}]`;
  throw failure("tensor/schema-mismatch", `parameter ${at}: expected ${show(a[at])}, got ${show(b[at])}`, {
    detail: { index: at },
  });
}
