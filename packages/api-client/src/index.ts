export { adviceOf, publicMessageOf, TributaryError, type WireError } from "@tributary/core";
export type { AlertsApi, AlertsOptions } from "./alerts-api.ts";
export { backoffMs, type BackoffOptions } from "./backoff.ts";
export type { CallOptions } from "./calling.ts";
export type { AccessApi } from "./access-api.ts";
export type { ModelsApi, PublishOptions } from "./models-api.ts";
export type { ReleaseOptions, ReleasesApi } from "./releases-api.ts";
export type { TasksApi } from "./tasks-api.ts";
export type { RoundsApi, RoundsOptions } from "./rounds-api.ts";
export type { SearchApi, SearchOptions } from "./search-api.ts";
export type { DeviceFilter, FleetApi, FleetHistoryOptions, LogEntriesOptions } from "./fleet-api.ts";
export type { AuditApi, AuditFilter, AuditRecordsOptions } from "./audit-api.ts";
export type { KeysApi } from "./keys-api.ts";
export { createApiClient, type ApiClient, type ApiClientOptions } from "./client.ts";
export { compareTable, curvesTable, toCsv, type CsvTable } from "./compare-csv.ts";
export {
  createEventStreamParser,
  type EventStreamParser,
  type StreamMessage,
} from "./event-stream-parser.ts";
export type { NotifyApi } from "./notify-api.ts";
export { cursorBefore, pages, type PageOptions, type WithNext } from "./pages.ts";
export type { PoliciesApi, PolicyDecisionsOptions } from "./policies-api.ts";
export { retentionConsequences } from "./retention-consequences.ts";
export {
  parseServerEvent,
  type RecordedChange,
  type ServerEvent,
  type ServerEventType,
} from "./server-event.ts";
export {
  subscribeEvents,
  type EventSubscription,
  type StreamState,
  type SubscribeOptions,
} from "./subscribe-events.ts";
export { versionRanges } from "./version-ranges.ts";
export type {
  AlertCounts,
  AlertPage,
  AlertRuleInput,
  AlertRuleView,
  AlertView,
  AccessGrant,
  AliasChange,
  AliasView,
  ApiTokenCreated,
  ApiTokenView,
  AuditRecordView,
  AuditView,
  BlobCreated,
  CardNotes,
  CardNotesView,
  CertificateLogView,
  ChannelChange,
  ChannelHistoryPage,
  ChannelView,
  CompareView,
  ComparisonView,
  DriftView,
  DeviceDetailView,
  DevicePage,
  DeviceView,
  DevicesView,
  FleetHistoryView,
  FleetView,
  DeliveryPage,
  DeliveryView,
  DraftView,
  DriftHistory,
  DriftMetric,
  EstimateInput,
  EstimateResult,
  EstimateView,
  GateView,
  GraphPort,
  KeyRoleChange,
  KeyRoleView,
  LogEntries,
  MeasurementPage,
  MeasurementView,
  ModelCard,
  ModelView,
  NewSilence,
  NotificationChannelInput,
  NotificationChannelView,
  PolicyDecisionPage,
  PolicyDecisionView,
  PolicyInput,
  PolicyView,
  PrivacyView,
  NewApiToken,
  NewLoginCode,
  NewOperator,
  OperatorView,
  PublicKeyBody,
  RoundPhase,
  RefusalPage,
  RefusalView,
  RetentionPreview,
  RetentionRule,
  RetentionView,
  ReproductionView,
  BufferView,
  SilenceView,
  SuspicionView,
  TaskActivityChange,
  TaskActivityView,
  TaskPrivacy,
  TaskResetView,
  RolloutChange,
  RolloutGateView,
  RolloutPage,
  RolloutSpec,
  RolloutSpecInput,
  RolloutView,
  RoundPage,
  RoundView,
  SearchField,
  SearchKind,
  SearchResult,
  SearchView,
  SessionView,
  SignedChannelView,
  SignedInView,
  StatusView,
  StorageChange,
  TaskSpec,
  TaskSpecInput,
  TaskStateChange,
  TaskView,
  VerdictView,
  VersionFiles,
  VersionHealthView,
  VersionPage,
  VersionView,
  WithdrawnVersionView,
} from "./views.ts";
