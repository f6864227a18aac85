import { failure } from "@tributary/core";
import {
  parameterSet,
  parameterSlot,
  readSafetensors,
  tensor,
  writeSafetensors,
  type ParameterSchema,
  type ParameterSet,
  type Tensor,
} from "@tributary/tensor";

/** What a strategy carries from version to version: plain data, so that it is stored with the version and replayed. */
export interface StrategyState {
  readonly numbers: Readonly<Record<string, number>>;
  /** Vectors over the model's own parameters: a momentum, a variance. */
  readonly sets: Readonly<Record<string, ParameterSet>>;
}

/** Of a strategy that remembers nothing. */
export const EMPTY_STATE: StrategyState = Object.freeze({
  numbers: Object.freeze({}),
  sets: Object.freeze({}),
});

/** Whether there is anything to store. */
export function isEmptyState({ numbers, sets }: StrategyState): boolean {
  return Object.keys(numbers).length + Object.keys(sets).length === 0;
}

const FORMAT = "tributary-strategy-state-v1";
const SEPARATOR = "/";

/**
 * A state as a safetensors file: one float32 tensor for each parameter of each set, `momentum/fc1.weight`, and the
 * numbers in the metadata. The same state gives the same bytes.
 *
 * @param strategy the name under which the state may be read again
 */
export function encodeState(strategy: string, { numbers, sets }: StrategyState): Uint8Array<ArrayBuffer> {
  const tensors: [string, Tensor][] = [];
  for (const [set, { schema, values }] of Object.entries(sets)) {
    if (set === "" || set.includes(SEPARATOR)) {
      throw new RangeError(`encodeState: a set's name without "${SEPARATOR}" expected, got "${set}"`);
    }
    for (const { name, shape } of schema) {
      const { offset, length } = parameterSlot(schema, name);
      const data = values.subarray(offset, offset + length);
      tensors.push([`${set}${SEPARATOR}${name}`, tensor("float32", shape, data)]);
    }
  }
  const sorted = Object.entries(numbers).toSorted(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of sorted) {
    if (!Number.isFinite(value)) throw new RangeError(`encodeState: ${name} must be finite, got ${value}`);
  }
  return writeSafetensors(tensors, {
    format: FORMAT,
    strategy,
    numbers: JSON.stringify(Object.fromEntries(sorted)),
  });
}

/**
 * Reads what `encodeState` wrote for this strategy and a model of this schema.
 *
 * @throws `aggregation/invalid-state`, `safetensors/*`
 */
export function decodeState(strategy: string, schema: ParameterSchema, bytes: Uint8Array): StrategyState {
  const { tensors, metadata } = readSafetensors(bytes);
  if (metadata["format"] !== FORMAT || metadata["strategy"] !== strategy) {
    throw invalid(
      `of ${FORMAT} for ${strategy} expected, got ${metadata["format"]} for ${metadata["strategy"]}`,
    );
  }
  const names = new Set([...tensors.keys()].map((name) => name.slice(0, name.indexOf(SEPARATOR))));
  const sets: Record<string, ParameterSet> = {};
  for (const set of [...names].toSorted()) sets[set] = readSet(set, schema, tensors);
  if (tensors.size !== names.size * schema.length) {
    throw invalid(`with ${names.size * schema.length} tensors expected, got ${tensors.size}`);
  }
  return { numbers: readNumbers(metadata["numbers"] ?? ""), sets };
}

function readSet(set: string, schema: ParameterSchema, tensors: ReadonlyMap<string, Tensor>): ParameterSet {
  const result = parameterSet(schema);
  for (const { name, shape } of schema) {
    const found = tensors.get(`${set}${SEPARATOR}${name}`);
    const slot = parameterSlot(schema, name);
    if (found?.dtype !== "float32" || found.shape.join() !== shape.join()) {
      throw invalid(
        `with ${set} of ${name} [${shape.join(", ")}] expected, got [${found?.shape.join(", ")}]`,
      );
    }
    result.values.set(found.data as Float32Array, slot.offset);
  }
  return result;
}

function readNumbers(json: string): Record<string, number> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch (cause) {
    throw invalid("whose numbers are JSON expected", cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw invalid("whose numbers are an object expected");
  }
  for (const [name, value] of Object.entries(parsed)) {
    if (typeof value !== "number") throw invalid(`whose ${name} is a number expected`);
  }
  return parsed as Record<string, number>;
}

function invalid(what: string, cause?: unknown): Error {
  return failure("aggregation/invalid-state", `strategy: a state ${what}`, { cause });
}
