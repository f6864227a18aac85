// For sibling packages only; not covered by semantic versioning.
export type { Device, DeviceConfig, DevicePorts } from "./device.ts";
export type {
  EngineProvider,
  OpenInferenceRequest,
  OpenSessionRequest,
  SessionLease,
} from "./engine-provider.ts";
