import { requireSetting } from "./settings.ts";

/** How a device trained, as far as it decides how much its update counts. */
export interface LocalWork {
  /** Optimizer steps, from 1. */
  readonly steps: number;
  /** Of the local optimizer, from 0 to below 1. @defaultValue 0 */
  readonly momentum?: number;
  /** FedProx's mu times the local learning rate, from 0 to below 1; without momentum only. @defaultValue 0 */
  readonly proximalDecay?: number;
}

/**
 * ||a||_1 of FedNova (Wang et al. 2020, https://arxiv.org/abs/2007.07481): how many plain gradients an update
 * amounts to. The number of steps for plain SGD, more with momentum, less with a proximal term.
 */
export function localNorm({ steps, momentum = 0, proximalDecay = 0 }: LocalWork): number {
  requireSetting("fedNova", "steps", steps, Number.isSafeInteger(steps) && steps >= 1);
  requireSetting("fedNova", "momentum", momentum, momentum >= 0 && momentum < 1);
  requireSetting("fedNova", "proximalDecay", proximalDecay, proximalDecay >= 0 && proximalDecay < 1);
  if (momentum > 0) {
    if (proximalDecay > 0) throw new RangeError("fedNova: momentum and a proximal term do not go together");
    return (steps - (momentum * (1 - momentum ** steps)) / (1 - momentum)) / (1 - momentum);
  }
  return proximalDecay === 0 ? steps : (1 - (1 - proximalDecay) ** steps) / proximalDecay;
}

/** Steps of a device that passes over its examples `epochs` times; a short last batch is a step too. */
export function localSteps(
  numExamples: number,
  local: { readonly epochs: number; readonly batchSize: number },
): number {
  return local.epochs * Math.ceil(numExamples / local.batchSize);
}

/** The running sums of one round. Changed in place. */
export interface FedNovaState {
  /** Sum of numExamples * update / localNorm. */
  readonly sum: Float64Array<ArrayBuffer>;
  /** Sum of numExamples * localNorm. */
  work: number;
  /** Sum of numExamples. */
  totalExamples: number;
  updates: number;
}

function init(length: number): FedNovaState {
  return { sum: new Float64Array(length), work: 0, totalExamples: 0, updates: 0 };
}

interface Share {
  readonly numExamples: number;
  /** Of `localNorm`. */
  readonly norm: number;
}

/** What the values of an update are multiplied with. */
function factor({ numExamples, norm }: Share): number {
  return numExamples / norm;
}

function accumulateChunk(state: FedNovaState, offset: number, chunk: Float32Array, share: Share): void {
  const { sum } = state;
  if (!Number.isInteger(offset) || offset < 0 || offset + chunk.length > sum.length) {
    throw new RangeError(`fedNova: ${offset} to ${offset + chunk.length} do not lie in ${sum.length} values`);
  }
  const times = factor(share);
  for (let i = 0; i < chunk.length; i++) sum[offset + i]! += times * chunk[i]!;
}

function countUpdate(state: FedNovaState, { numExamples, norm }: Share): void {
  state.work += numExamples * norm;
  state.totalExamples += numExamples;
  state.updates += 1;
}

function mean(state: FedNovaState): Float64Array<ArrayBuffer> {
  if (state.totalExamples === 0) throw new RangeError("fedNova: the mean of no updates is not defined");
  const effectiveSteps = state.work / state.totalExamples;
  return state.sum.map((value) => (effectiveSteps * value) / state.totalExamples);
}

/**
 * Averaging of updates normalised by the work behind them, so that a device with many steps does not pull the model
 * towards its own optimum: mean = tau_eff * sum p_i update_i / ||a_i||, tau_eff = sum p_i ||a_i||. Both are sums, so a
 * device can also divide its own update before it is masked.
 */
export const fedNova = Object.freeze({ init, factor, accumulateChunk, countUpdate, mean });
