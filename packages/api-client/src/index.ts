export { publicMessageOf, TributaryError, type WireError } from "@tributary/core";
export { backoffMs, type BackoffOptions } from "./backoff.ts";
export {
  createApiClient,
  type ApiClient,
  type ApiClientOptions,
  type CallOptions,
  type LogEntriesOptions,
  type MeasurementsOptions,
  type PublishOptions,
  type RoundsOptions,
} from "./client.ts";
export {
  createEventStreamParser,
  type EventStreamParser,
  type StreamMessage,
} from "./event-stream-parser.ts";
export { parseServerEvent, type ServerEvent, type ServerEventType } from "./server-event.ts";
export {
  subscribeEvents,
  type EventSubscription,
  type StreamState,
  type SubscribeOptions,
} from "./subscribe-events.ts";
export type {
  BlobCreated,
  CertificateLogView,
  ComparisonView,
  DriftView,
  DevicesView,
  DraftView,
  GateView,
  GraphPort,
  KeyRoleChange,
  KeyRoleView,
  LogEntries,
  MeasurementView,
  ModelView,
  PublicKeyBody,
  RoundPhase,
  RefusalView,
  ReproductionView,
  BufferView,
  SuspicionView,
  TaskActivityView,
  TaskResetView,
  RoundView,
  StatusView,
  TaskSpec,
  TaskSpecInput,
  TaskStateChange,
  TaskView,
  VerdictView,
  VersionFiles,
  VersionHealthView,
  VersionView,
} from "./views.ts";
