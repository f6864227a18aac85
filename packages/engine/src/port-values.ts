/** Values of any element type, as a port takes them. */
import type { DType, TensorData } from "@tributary/tensor";

/** Values before they are a port's: numbers, whole ones also as bigints, truth values also as booleans. */
export type PortValues = ArrayLike<number | bigint | boolean>;

/**
 * Writes values into a port's memory, converted to its element type. Bytes (a `Uint8Array`) are read as value / 255 where
 * the port holds float32 or float64; float16 is taken as raw bits (a `Uint16Array`) alone; whole types take whole numbers
 * in their range, bool takes 0 and 1.
 *
 * @param target - holds elements of `dtype`, from `offset` on at least as many as there are values
 * @returns the index of the first value that does not fit; undefined: all were written
 */
export function writeValues(
  dtype: DType,
  target: TensorData,
  offset: number,
  values: PortValues,
): number | undefined {
  switch (dtype) {
    case "float32":
    case "float64":
      return writeFloats(target as Float32Array | Float64Array, offset, values);
    case "float16":
      if (!(values instanceof Uint16Array)) return 0;
      (target as Uint16Array).set(values, offset);
      return undefined;
    case "int64":
    case "uint64":
      return writeBigInts(target as BigInt64Array | BigUint64Array, offset, values);
    case "bool":
      return writeWhole(target as Uint8Array, offset, values, 1);
    default:
      return writeWhole(target as Int32Array, offset, values);
  }
}

function writeFloats(
  target: Float32Array | Float64Array,
  offset: number,
  values: PortValues,
): number | undefined {
  if (values instanceof Float32Array) target.set(values, offset);
  else if (values instanceof Uint8Array) {
    for (let i = 0; i < values.length; i++) target[offset + i] = values[i]! / 255;
  } else for (let i = 0; i < values.length; i++) target[offset + i] = Number(values[i]);
  return undefined;
}

function writeBigInts(
  target: BigInt64Array | BigUint64Array,
  offset: number,
  values: PortValues,
): number | undefined {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (typeof value === "number" && !Number.isSafeInteger(value)) return i;
    const whole = BigInt(value);
    target[offset + i] = whole;
    if (target[offset + i] !== whole) return i;
  }
  return undefined;
}

/** A typed array keeps a value as it is, or the value was not in its range. */
function writeWhole(
  target: Int32Array | Uint8Array,
  offset: number,
  values: PortValues,
  max = Number.POSITIVE_INFINITY,
): number | undefined {
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    target[offset + i] = value;
    if (target[offset + i] !== value || value > max) return i;
  }
  return undefined;
}
