export {
  digitsOfManyWriters,
  generateDigits,
  heldOutDigits,
  labelDistribution,
  writerShard,
  type Digits,
  type DigitSplit,
  type GenerateDigitsOptions,
  type WriterShardOptions,
} from "./digits/digits.ts";
export { IMAGE_PIXELS, IMAGE_SIDE } from "./digits/pen.ts";
export { parseIdx, type IdxArray } from "./idx/parse-idx.ts";
export { readIdxFolder, type IdxDataset, type IdxSplit } from "./idx/read-idx-folder.ts";
