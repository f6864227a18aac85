export type { EngineDownload } from "./engine-download.ts";
export { checkFeeds } from "./check-feeds.ts";
export type {
  Engine,
  EngineName,
  Feeds,
  KeptOutputs,
  KeptTensor,
  LoadOptions,
  Outputs,
  RunOptions,
  Session,
  SessionPort,
} from "./engine.ts";
export { writeValues } from "./port-values.ts";
export type { SessionConfig } from "./session-config.ts";
