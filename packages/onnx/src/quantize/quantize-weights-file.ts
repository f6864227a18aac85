import {
  parameterSlot,
  quantizedScales,
  writeQuantizedParameters,
  type ParameterSet,
  type QuantizedChannels,
} from "@tributary/tensor";
import { chainAdvice } from "./chain-advice.ts";
import type { ChainAdvice, QuantizationScale } from "./options.ts";
import { quantizeTensor, type QuantizedTensor } from "./quantize-tensor.ts";

export interface QuantizedWeightsFile {
  /** int8 safetensors: what devices download, fold to float32 and bind to their graph. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether the scales are those of the earlier version. */
  readonly frozen: boolean;
  /** Why a new chain begins, where there was an earlier version and its scales do not fit any more. */
  readonly chain: ChainAdvice;
}

/**
 * The weights of a version at a quarter of their size. With the file of the version before, its scales are used again,
 * so that few bytes change; where weights have outgrown them, a new chain begins with scales of its own.
 * Errors: `tensor/not-finite`, and `tensor/*` where the earlier file is not of these parameters.
 */
export function quantizeWeightsFile(set: ParameterSet, earlier?: Uint8Array): QuantizedWeightsFile {
  const frozen = earlier === undefined ? undefined : frozenScales(set, earlier);
  if (frozen !== undefined) {
    const weights = quantizeAll(set, frozen);
    const chain = chainAdvice(
      weights.map(({ report }) => report),
      { scheme: "int8-weights", frozenScales: frozen },
    );
    if (!chain.startNewChain) return { bytes: fileOf(set, weights), frozen: true, chain };
    return { bytes: fileOf(set, quantizeAll(set, undefined)), frozen: false, chain };
  }
  const chain = { startNewChain: false, reasons: [] };
  return { bytes: fileOf(set, quantizeAll(set, undefined)), frozen: false, chain };
}

type FrozenScales = NonNullable<Parameters<typeof chainAdvice>[1]["frozenScales"]>;

function frozenScales({ schema }: ParameterSet, earlier: Uint8Array): FrozenScales {
  const weights = Array.from(quantizedScales(schema, earlier), ([name, scales]) => {
    const scale: QuantizationScale = { scales: [...scales], zeroPoints: Array.from(scales, () => 0) };
    return [name, scale] as const;
  });
  return { scheme: "int8-weights", weights: Object.fromEntries(weights), activations: {} };
}

function quantizeAll(set: ParameterSet, frozen: FrozenScales | undefined): QuantizedTensor[] {
  return set.schema
    .filter(({ shape }) => shape.length >= 2)
    .map(({ name, shape }) => {
      const { offset, length } = parameterSlot(set.schema, name);
      const [groups = 1] = shape;
      const inner = length / Math.max(1, groups);
      return quantizeTensor(
        {
          name,
          values: set.values.subarray(offset, offset + length),
          groups,
          groupOf: (i) => Math.floor(i / inner),
        },
        { type: "int8", symmetric: true, frozen: frozen?.weights[name] },
      );
    });
}

function fileOf(set: ParameterSet, weights: readonly QuantizedTensor[]): Uint8Array<ArrayBuffer> {
  const channels = weights.map(({ report, integers, scales }): [string, QuantizedChannels] => [
    report.name,
    { values: Int8Array.from(integers), scales: Float32Array.from(scales) },
  ]);
  return writeQuantizedParameters(set, new Map(channels));
}
