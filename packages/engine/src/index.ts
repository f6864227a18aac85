export type {
  Engine,
  EngineName,
  Feeds,
  LoadOptions,
  Outputs,
  RunOptions,
  Session,
  SessionPort,
} from "./engine.ts";
export type { SessionConfig } from "./session-config.ts";
