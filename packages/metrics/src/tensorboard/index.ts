export {
  eventFile,
  eventFileHead,
  type EventFileEnd,
  eventRecord,
  readEventFile,
  type TensorboardEvent,
} from "./event-file.ts";
export type { HistogramCounts } from "./histogram-message.ts";
export { runBegan, type RunParameters } from "./hparams.ts";
export { maskedCrc } from "./tf-record.ts";
