export { TributaryError, type WireError } from "@tributary/core";
export { backoffMs, type BackoffOptions } from "./backoff.ts";
export { createApiClient, type ApiClient, type ApiClientOptions, type CallOptions } from "./client.ts";
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
  DevicesView,
  GraphPort,
  ModelView,
  RoundPhase,
  RoundView,
  StatusView,
  TaskSpec,
  TaskView,
  VersionView,
} from "./views.ts";
