import { copyBytes, failure } from "@tributary/core";
import { parameterSet, parameterSlot, type ParameterSchema, type ParameterSet } from "./parameter-set.ts";
import { dequantizePerChannel, type QuantizedChannels } from "./quantize.ts";
import { requireEntry, requireNoneLeft, writeSafetensors } from "./safetensors.ts";
import { readSafetensorsHeader } from "./safetensors-header.ts";
import { tensor, type Tensor } from "./tensor.ts";

/** Metadata of the weights file that inference devices download. */
export const QUANTIZATION_SCHEME = "int8-per-channel";
const SCHEME_KEY = "tributary.scheme";

/** Tensors of rank 2 and more carry nearly all weights; axis 0 is the output channel of Conv and of Gemm with transB. */
const isQuantized = (shape: readonly number[]): boolean => shape.length >= 2;
const scaleName = (name: string): string => `${name}.scale`;

function requireNoCollision(schema: ParameterSchema): void {
  const names = new Set(schema.map(({ name }) => name));
  for (const { name, shape } of schema) {
    if (isQuantized(shape) && names.has(scaleName(name))) {
      throw failure("tensor/invalid-schema", `quantize: ${scaleName(name)} is a parameter itself`, {
        detail: { name },
      });
    }
  }
}

/**
 * Weights at about a quarter of their size: `name` as I8 and `name.scale` as F32 [shape[0]] for tensors of rank
 * 2 and more, the rest as F32.
 * @param quantized - every tensor of rank 2 and more, along axis 0
 * @throws `tensor/not-finite`, `tensor/invalid-schema`
 */
export function writeQuantizedParameters(
  set: ParameterSet,
  quantized: ReadonlyMap<string, QuantizedChannels>,
): Uint8Array<ArrayBuffer> {
  requireNoCollision(set.schema);
  const at = set.values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) {
    throw failure("tensor/not-finite", `quantize: value ${at} is ${set.values[at]}`, {
      detail: { index: at },
    });
  }
  const tensors: [string, Tensor][] = [];
  for (const { name, shape } of set.schema) {
    const { offset, length } = parameterSlot(set.schema, name);
    const channels = quantized.get(name);
    if (!isQuantized(shape) || channels === undefined) {
      if (isQuantized(shape)) throw new RangeError(`writeQuantizedParameters: "${name}" is missing`);
      tensors.push([name, tensor("float32", shape, set.values.subarray(offset, offset + length))]);
      continue;
    }
    tensors.push([name, tensor("int8", shape, channels.values)]);
    tensors.push([scaleName(name), tensor("float32", [shape[0]!], channels.scales)]);
  }
  return writeSafetensors(tensors, { [SCHEME_KEY]: QUANTIZATION_SCHEME });
}

/** The integers and scales of an int8 file, by parameter: what the next version is quantized like, so that few bytes change. */
export function quantizedChannels(
  schema: ParameterSchema,
  bytes: Uint8Array,
): ReadonlyMap<string, QuantizedChannels> {
  const { entries } = readSafetensorsHeader(bytes);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const quantized = schema.filter(({ shape }) => isQuantized(shape));
  return new Map(
    quantized.map(({ name, shape }) => {
      const scales = requireEntry(byName, scaleName(name), "float32", [shape[0]!]);
      const values = requireEntry(byName, name, "int8", shape);
      return [
        name,
        {
          values: new Int8Array(copyBytes(bytes, values.begin, values.end).buffer),
          scales: new Float32Array(copyBytes(bytes, scales.begin, scales.end).buffer),
        },
      ];
    }),
  );
}

/** The float32 weights an int8 file stands for; the same bits on every device. */
export function dequantizeParameters(schema: ParameterSchema, bytes: Uint8Array): ParameterSet {
  requireNoCollision(schema);
  const header = readSafetensorsHeader(bytes);
  const scheme = Object.hasOwn(header.metadata, SCHEME_KEY) ? header.metadata[SCHEME_KEY] : undefined;
  if (scheme !== QUANTIZATION_SCHEME) {
    throw failure(
      "tensor/invalid-quantization",
      `weights: ${SCHEME_KEY} must be ${QUANTIZATION_SCHEME}, got ${String(scheme).slice(0, 80)}`,
    );
  }
  const byName = new Map(header.entries.map((entry) => [entry.name, entry]));
  const set = parameterSet(schema);
  const floats = (begin: number, end: number): Float32Array<ArrayBuffer> =>
    new Float32Array(copyBytes(bytes, begin, end).buffer);
  for (const { name, shape } of schema) {
    const { offset, length } = parameterSlot(schema, name);
    const target = set.values.subarray(offset, offset + length);
    if (!isQuantized(shape)) {
      const entry = requireEntry(byName, name, "float32", shape);
      target.set(floats(entry.begin, entry.end));
    } else {
      const entry = requireEntry(byName, name, "int8", shape);
      const scaleEntry = requireEntry(byName, scaleName(name), "float32", [shape[0]!]);
      const scales = floats(scaleEntry.begin, scaleEntry.end);
      if (!scales.every((scale) => scale > 0 && scale < Infinity)) {
        throw failure(
          "tensor/invalid-quantization",
          `weights: ${scaleName(name)} must hold positive finite scales`,
          { detail: { name } },
        );
      }
      const values = new Int8Array(copyBytes(bytes, entry.begin, entry.end).buffer);
      dequantizePerChannel({ values, scales }, shape, 0, target);
      byName.delete(scaleName(name));
    }
    byName.delete(name);
  }
  requireNoneLeft(byName);
  return set;
}
