/** When a worker is replaced before it harms the page: memory of WASM never shrinks, and some systems end pages that use much. */

export interface MemoryBudget {
  /** Memory of the engine, in bytes, beyond which a worker that grew is replaced, and versions are swapped one after the other. */
  readonly maxHeapBytes: number;
  /** Runs after which a worker is replaced. */
  readonly maxRuns: number;
}

const DEFAULT: MemoryBudget = { maxHeapBytes: 1024 ** 3, maxRuns: Number.POSITIVE_INFINITY };
/** Safari ends pages that use more, and some that ran a few hundred times on the GPU (microsoft/onnxruntime#27584). */
const IOS: MemoryBudget = { maxHeapBytes: 256 * 1024 ** 2, maxRuns: 200 };

/** The part of `navigator` that tells an iPhone or iPad, which calls itself a Mac with a touch screen. */
export interface DeviceNavigator {
  readonly userAgent?: string;
  readonly platform?: string;
  readonly maxTouchPoints?: number;
}

export function memoryBudget({
  userAgent = "",
  platform = "",
  maxTouchPoints = 0,
}: DeviceNavigator): MemoryBudget {
  const isIos = /iPhone|iPad|iPod/.test(userAgent) || (platform === "MacIntel" && maxTouchPoints > 1);
  return isIos ? IOS : DEFAULT;
}

/** Runs after which a worker has the memory it needs. */
const SETTLING_RUNS = 20;
/** Growth beyond that is a leak, or a batch larger than before. */
const GROWTH = 1.5;

/** @returns takes note of runs, and says whether the worker is to be replaced */
export function growthOf({
  maxHeapBytes,
  maxRuns,
}: MemoryBudget): (calls: number, heapBytes: number | undefined) => boolean {
  let runs = 0;
  let settledBytes = 0;
  return (calls, heapBytes = 0) => {
    runs += calls;
    if (runs <= SETTLING_RUNS) settledBytes = Math.max(settledBytes, heapBytes);
    return runs >= maxRuns || heapBytes > Math.max(maxHeapBytes, GROWTH * settledBytes);
  };
}
