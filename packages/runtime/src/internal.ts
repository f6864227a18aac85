// For sibling packages only; not covered by semantic versioning.
export { createDevice } from "./create-device.ts";
export type { Device, DeviceConfig, DevicePorts } from "./device.ts";
export type {
  EngineProvider,
  OpenInferenceRequest,
  OpenSessionRequest,
  SessionLease,
} from "./engine-provider.ts";
export { createRuntimeOf } from "./runtime-of.ts";
export { createSessionCache, type SessionCache } from "./session-cache.ts";
