import type { TensorValue } from "../ir/model.ts";
import { floatValues } from "../ir/tensor-value.ts";
import type { WeightReport } from "./options.ts";

const LARGEST = 65_504;

/** Beyond the type's range a weight stays as it is. */
export function fitsFloat16(values: Float32Array): boolean {
  return values.every((value) => Math.abs(value) <= LARGEST);
}

/** A float32 tensor's values as float16, under another name. */
export function halfTensor(name: string, tensor: TensorValue): TensorValue {
  const bits = Uint16Array.from(floatValues(tensor), toFloat16);
  return { name, elementType: "float16", dims: tensor.dims, data: new Uint8Array(bits.buffer) };
}

export function reportOf(tensor: TensorValue, half: TensorValue): WeightReport {
  const bits = new Uint16Array(half.data.buffer, half.data.byteOffset, half.data.length / 2);
  let [error, norm] = [0, 0];
  for (const [i, value] of floatValues(tensor).entries()) {
    error += (fromFloat16(bits[i]!) - value) ** 2;
    norm += value ** 2;
  }
  const relativeError = norm === 0 ? 0 : Math.sqrt(error / norm);
  return { name: tensor.name, relativeError, saturatedShare: 0 };
}

const view = new DataView(new ArrayBuffer(4));

/** Bits of the nearest float16, ties to even. */
export function toFloat16(value: number): number {
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 255) - 127;
  if (exponent === 128) return sign | (bits & 0x7fffff ? 0x7e00 : 0x7c00);
  if (exponent < -25) return sign;
  // The bits below the result's last, as a fraction of it: subnormals shift further.
  const shift = exponent < -14 ? -1 - exponent : 13;
  const mantissa = (bits & 0x7fffff) | (exponent < -14 ? 0x800000 : 0);
  const base = exponent < -14 ? 0 : (exponent + 15) << 10;
  const whole = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  const up = rest > half || (rest === half && whole % 2 === 1) ? 1 : 0;
  const rounded = base + whole + up;
  return sign | Math.min(rounded, 0x7c00);
}

export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}
