import { parameterCount, type ParameterSchema } from "@tributary/tensor";

/** The running sum of one aggregation: one float64 vector, whatever the number of updates. Changed in place. */
export interface FedAvgState {
  /** Sum of numExamples * update. */
  readonly sum: Float64Array<ArrayBuffer>;
  /** Sum of numExamples. */
  totalExamples: number;
  /** Updates that were counted. */
  updates: number;
}

/** The most examples one update may stand for: a float32 times this is still exact in float64. */
export const MAX_UPDATE_EXAMPLES = 2 ** 29;

function requireWeight(numExamples: number): void {
  if (!Number.isInteger(numExamples) || numExamples < 1 || numExamples > MAX_UPDATE_EXAMPLES) {
    throw new RangeError(
      `fedAvg: numExamples must be an integer from 1 to ${MAX_UPDATE_EXAMPLES}, got ${numExamples}`,
    );
  }
}

function init(schema: ParameterSchema | number): FedAvgState {
  const length = typeof schema === "number" ? schema : parameterCount(schema);
  return { sum: new Float64Array(length), totalExamples: 0, updates: 0 };
}

function factor(numExamples: number): number {
  requireWeight(numExamples);
  return numExamples;
}

function accumulateChunk(state: FedAvgState, offset: number, chunk: Float32Array, numExamples: number): void {
  requireWeight(numExamples);
  const { sum } = state;
  if (!Number.isInteger(offset) || offset < 0 || offset + chunk.length > sum.length) {
    throw new RangeError(
      `fedAvg: values ${offset} to ${offset + chunk.length} do not lie in a vector of ${sum.length}`,
    );
  }
  for (let i = 0; i < chunk.length; i++) sum[offset + i]! += numExamples * chunk[i]!;
}

function countUpdate(state: FedAvgState, numExamples: number): void {
  requireWeight(numExamples);
  state.totalExamples += numExamples;
  state.updates += 1;
}

function accumulate(state: FedAvgState, update: Float32Array, numExamples: number): void {
  if (update.length !== state.sum.length) {
    throw new RangeError(`fedAvg: an update of ${state.sum.length} values expected, got ${update.length}`);
  }
  accumulateChunk(state, 0, update, numExamples);
  countUpdate(state, numExamples);
}

function merge(state: FedAvgState, other: FedAvgState): void {
  if (other.sum.length !== state.sum.length) {
    throw new RangeError(`fedAvg: a sum of ${state.sum.length} values expected, got ${other.sum.length}`);
  }
  for (let i = 0; i < state.sum.length; i++) state.sum[i]! += other.sum[i]!;
  state.totalExamples += other.totalExamples;
  state.updates += other.updates;
}

function mean(state: FedAvgState): Float64Array<ArrayBuffer> {
  if (state.totalExamples === 0) throw new RangeError("fedAvg: the mean of no updates is not defined");
  const result = new Float64Array(state.sum.length);
  for (let i = 0; i < result.length; i++) result[i] = state.sum[i]! / state.totalExamples;
  return result;
}

/**
 * Federated averaging (McMahan et al. 2017, https://arxiv.org/abs/1602.05629): the mean of the updates, weighted by
 * their examples. Streaming: each product is exact, the sum rounds to float64 once per update, and chunks of an
 * update may come in any order and size with the same result.
 *
 * Check an update (digest, shape, finite, norm) before its first chunk: a partial sum cannot be taken back.
 */
export const fedAvg = Object.freeze({
  /** A sum of nothing, for a schema or a number of values. */
  init,
  /** Adds a whole update. */
  accumulate,
  /** Adds part of an update; call `countUpdate` once when all its chunks are in. */
  accumulateChunk,
  countUpdate,
  /** What the values of an update are multiplied with. */
  factor,
  /** Adds the sum of another accumulator over the same schema. */
  merge,
  /** The weighted mean; RangeError when nothing was counted. */
  mean,
});
