import { failure } from "@tributary/core";
import { holds, isDType, type DataOf, type DType } from "./dtype.ts";

/** Plain data: structured-clonable, row-major. A scalar has shape []. */
export interface Tensor<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: DataOf[D];
}

/** No tensor has more dimensions. */
export const MAX_RANK = 16;

/**
 * Number of elements of a shape.
 * @throws {RangeError} for dimensions that are not integers of at least 0, too many of them, or a product of 2^53 and more
 */
export function elementCount(shape: readonly number[]): number {
  if (shape.length > MAX_RANK)
    throw new RangeError(`shape: at most ${MAX_RANK} dimensions expected, got ${shape.length}`);
  let count = 1;
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0) {
      throw new RangeError(`shape: integers of at least 0 expected, got [${shape.join(", ")}]`);
    }
    count *= dimension;
    if (count > Number.MAX_SAFE_INTEGER)
      throw new RangeError(`shape: [${shape.join(", ")}] has too many elements`);
  }
  return count;
}

/**
 * Checks data against a dtype and shape and pairs them; the data is not copied.
 * @throws {TypeError} when the array is not the dtype's, {RangeError} when its length is not the shape's
 */
export function tensor<D extends DType>(dtype: D, shape: readonly number[], data: DataOf[D]): Tensor<D> {
  if (!isDType(dtype)) throw new TypeError(`tensor: unknown dtype ${String(dtype)}`);
  if (!holds(dtype, data))
    throw new TypeError(
      `tensor: ${dtype} data is held by another array type, got ${Object.prototype.toString.call(data)}`,
    );
  const count = elementCount(shape);
  if (data.length !== count) {
    throw new RangeError(
      `tensor: shape [${shape.join(", ")}] has ${count} elements, the data has ${data.length}`,
    );
  }
  return { dtype, shape, data };
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dimension, i) => dimension === b[i]);
}

/** A tensor narrowed to one dtype, for values that came from outside; throws `tensor/dtype-mismatch`. */
export function withDType<D extends DType>(value: Tensor, dtype: D, name = "tensor"): Tensor<D> {
  if (value.dtype !== dtype) {
    throw failure("tensor/dtype-mismatch", `${name}: ${dtype} expected, got ${value.dtype}`, {
      detail: { name, expected: dtype, got: value.dtype },
    });
  }
  return value as Tensor<D>;
}
