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
export { createFleet, type Fleet, type FleetEvent, type FleetOptions } from "./fleet/fleet.ts";
export type { FleetStatus } from "./fleet/fleet-status.ts";
export { shardOf, type FleetDataset, type LabelledImages, type ShardOptions } from "./fleet/shards.ts";
export { labelledImagesFile } from "./labelled-images-file.ts";
