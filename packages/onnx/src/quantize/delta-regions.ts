import type { DeltaRegion } from "@tributary/tensor";
import { decodeModel } from "../ir/decode.ts";

const HALF_TYPES = new Set(["float16", "bfloat16", "int16", "uint16"]);
const WORD_TYPES = new Set(["float32", "int32", "uint32", "float64", "int64", "uint64"]);
/** A table of its own costs a tensor about a hundred bytes. */
const SMALLEST_TENSOR_BYTES = 256;

/**
 * The weights inside an ONNX file, for `encodeDelta`: what changes from version to version of one form of a model.
 *
 * @throws `onnx/*`
 */
export function onnxRegions(file: Uint8Array): readonly DeltaRegion[] {
  const regions: DeltaRegion[] = [];
  for (const { data, elementType } of decodeModel(file).graph.initializers) {
    // Only what the file holds in one piece.
    if (data.buffer !== file.buffer || data.length < SMALLEST_TENSOR_BYTES) continue;
    const begin = data.byteOffset - file.byteOffset;
    const elementBytes = HALF_TYPES.has(elementType) ? 2 : WORD_TYPES.has(elementType) ? 4 : 1;
    regions.push({ begin, end: begin + data.length, elementBytes });
  }
  return regions.toSorted((a, b) => a.begin - b.begin);
}
