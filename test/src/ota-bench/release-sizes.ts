import { brotliCompressSync, constants, deflateRawSync, gzipSync } from "node:zlib";
import { quantizeWeightsFile, splitWeights } from "@tributary/onnx";
import {
  applyDelta,
  encodeDelta,
  parametersToSafetensors,
  readSafetensors,
  safetensorsRegions,
} from "@tributary/tensor";
import type { SimulatedVersion } from "@tributary/simulator";

/** Bytes of a file as it is, and compressed by what browsers can undo. */
export interface FileSizes {
  readonly bytes: number;
  readonly gzip: number;
  readonly brotli: number;
}

/** A delta beside what else could be sent. */
export interface DeltaSizes {
  readonly bytes: number;
  /** The same differences, compressed by deflate at its best. */
  readonly deflate: number;
  /** Of the differences of each tensor, of order 0: what no coder without a model of their order can go below. */
  readonly entropy: number;
}

export interface ReleaseSizes {
  readonly float32: FileSizes;
  readonly int8: FileSizes;
  /** From the base to the version after so many rounds. */
  readonly int8After: Readonly<Record<string, DeltaSizes>>;
  /** The exact float32 weights after one round. */
  readonly stepAfter1: number;
  /** Bytes of the delta from the version before, by round. */
  readonly chain: readonly number[];
  /** Share of the channels that got another scale, by round. */
  readonly newScales: readonly number[];
}

export interface MeasuredReleases {
  readonly sizes: ReleaseSizes;
  /** int8 weights of the base and after one round. */
  readonly pair: readonly [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
}

/** Follows the versions of a training as a coordinator does that releases each of them. */
export class ReleaseMeter {
  readonly #base: Uint8Array<ArrayBuffer>;
  readonly #baseInt8: Uint8Array<ArrayBuffer>;
  readonly #after: readonly number[];
  readonly #deltas: Record<string, DeltaSizes> = {};
  readonly #newScales: number[] = [];
  readonly #chain: number[] = [];
  #int8: Uint8Array<ArrayBuffer>;
  #first: Uint8Array<ArrayBuffer> | undefined;
  #step = Number.NaN;

  /** @param after - rounds after which the delta from the base is measured */
  constructor(model: Uint8Array, after: readonly number[]) {
    const { parameters } = splitWeights(model);
    this.#base = parametersToSafetensors(parameters);
    this.#baseInt8 = quantizeWeightsFile(parameters).bytes;
    this.#int8 = this.#baseInt8;
    this.#after = after;
  }

  /** @throws Error when a delta does not make what it was made for */
  add({ version, weights, steps }: SimulatedVersion): void {
    // Versions begin at 1.
    const round = version - 1;
    const quantized = quantizeWeightsFile(weights, this.#int8);
    this.#chain.push(deltaBetween(this.#int8, quantized.bytes).length);
    this.#int8 = quantized.bytes;
    this.#newScales.push(quantized.newScales / quantized.channels);
    if (round === 1) {
      this.#first = this.#int8;
      const next = parametersToSafetensors(weights);
      this.#step = deltaBetween(this.#base, next, steps).length;
    }
    if (!this.#after.includes(round)) return;
    const delta = deltaBetween(this.#baseInt8, this.#int8);
    const difference = differences(this.#baseInt8, this.#int8);
    this.#deltas[round] = {
      bytes: delta.length,
      deflate: deflateRawSync(Buffer.concat(difference), { level: 9 }).length,
      entropy: Math.ceil(difference.reduce((sum, each) => sum + entropyBits(each), 0) / 8),
    };
  }

  finish(): MeasuredReleases {
    return {
      sizes: {
        float32: sizesOf(this.#base),
        int8: sizesOf(this.#baseInt8),
        int8After: this.#deltas,
        stepAfter1: this.#step,
        chain: this.#chain,
        newScales: this.#newScales,
      },
      pair: [this.#baseInt8, this.#first ?? this.#baseInt8],
    };
  }
}

function deltaBetween(
  base: Uint8Array,
  next: Uint8Array<ArrayBuffer>,
  steps?: SimulatedVersion["steps"],
): Uint8Array<ArrayBuffer> {
  const delta = encodeDelta(base, next, safetensorsRegions(next, steps));
  if (delta === undefined || Buffer.compare(applyDelta(base, delta), next) !== 0)
    throw new Error("bench ota: a delta does not make its file");
  return delta;
}

function sizesOf(file: Uint8Array): FileSizes {
  const quality = { [constants.BROTLI_PARAM_QUALITY]: 9, [constants.BROTLI_PARAM_LGWIN]: 24 };
  return {
    bytes: file.length,
    gzip: gzipSync(file, { level: 9 }).length,
    brotli: brotliCompressSync(file, { params: quality }).length,
  };
}

/** Of each int8 tensor; what is stored as float32 is left to the delta. */
function differences(base: Uint8Array, next: Uint8Array): readonly Uint8Array[] {
  const [before, after] = [readSafetensors(base).tensors, readSafetensors(next).tensors];
  return Array.from(after).flatMap(([name, { dtype, data }]) => {
    const from = before.get(name)!.data;
    return dtype === "int8"
      ? [Uint8Array.from(data as Int8Array, (value, i) => value - Number(from[i]))]
      : [];
  });
}

function entropyBits(values: Uint8Array): number {
  const counts = new Float64Array(256);
  for (const value of values) counts[value]! += 1;
  return counts.reduce(
    (bits, count) => (count === 0 ? bits : bits - count * Math.log2(count / values.length)),
    0,
  );
}
