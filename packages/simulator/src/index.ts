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
export { simulate } from "./simulate/simulation.ts";
export type {
  SimulatedVersion,
  SimulateOptions,
  SimulationProgress,
  SimulationResult,
} from "./simulate/simulate-options.ts";
export type { RoundRow } from "./simulate/round-row.ts";
export type { DeviceLabels, Shares } from "./fleet-model/conditions.ts";
export { FLEET_DEFAULTS, FLEET_RANGES, fleetModel, type FleetModel } from "./fleet-model/fleet-model.ts";
export { parsePartition, PARTITIONS, type PartitionSpec } from "./partitions/parse-partition.ts";
export {
  partition,
  type Partition,
  type PartitionedData,
  type PartitionOptions,
} from "./partitions/partition.ts";
export type { ClientData, ClientExamples } from "./data/client-data.ts";
export { clientDataOf, digitsClientData, type ClientDataOptions } from "./data/client-data-of.ts";
export type { TableShape } from "./data/columns.ts";
export type { DataSet, SourceTable } from "./data/data-set.ts";
export {
  heldOutDigitsTable,
  openDataSet,
  takeTrusted,
  type OpenDataSetOptions,
} from "./data/open-data-set.ts";
export { roundEvents } from "./reports/event-file.ts";
export { roundsCsv } from "./reports/rounds-csv.ts";
export { simulationReport, writeResults, type SimulationReport } from "./reports/write-results.ts";
export { tableShape } from "./simulate/prepare-task.ts";
