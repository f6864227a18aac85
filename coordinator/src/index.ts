export type { CoordinatorConfig, CoordinatorLimits, LogLevel } from "./config.ts";
export { DEFAULT_LIMITS, LOG_LEVELS } from "./config.ts";
export { type Coordinator, createCoordinator } from "./coordinator.ts";
