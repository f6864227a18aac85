export {
  ALERT_KIND_FACTS,
  ALERT_KINDS,
  ALERT_RULE_SCHEMA,
  ALERT_RULE_SCHEMA_ID,
  ALERT_SEVERITIES,
  AlertRule,
  AlertRuleNameSchema,
  alertThreshold,
  BUILT_IN_ALERT_RULES,
  parseAlertRule,
  type AlertKind,
  type AlertSeverity,
  type AlertThreshold,
} from "./alert-rule.ts";
export {
  ALERT_STATES,
  AlertAcknowledge,
  AlertAcknowledgement,
  AlertCounts,
  AlertList,
  AlertListQuery,
  AlertRuleList,
  AlertRuleView,
  AlertSubject,
  AlertView,
  NewSilence,
  SilenceList,
  SilenceMatcher,
  SilenceView,
  type AlertState,
} from "./alert-view.ts";
export {
  parsePolicy,
  Policy,
  POLICY_OUTCOMES,
  POLICY_SCHEMA,
  POLICY_SCHEMA_ID,
  PolicyDecisionList,
  PolicyDecisionQuery,
  PolicyDecisionView,
  PolicyList,
  PolicyNameSchema,
  PolicyView,
  promotionRollout,
  type PolicyOutcome,
  type Promote,
  type TrainOnDrift,
} from "./policy.ts";
export {
  DELIVERY_HEADER,
  DELIVERY_STATES,
  DeliveryList,
  DeliveryListQuery,
  DeliveryView,
  Notification,
  NOTIFICATION_CHANNEL_SCHEMA,
  NOTIFICATION_CHANNEL_SCHEMA_ID,
  NotificationChannel,
  NotificationChannelList,
  NotificationChannelNameSchema,
  NotificationChannelView,
  NotificationTarget,
  NotificationTargetView,
  parseNotificationChannel,
  SecretInput,
  SecretView,
  SIGNATURE_HEADER,
  type DeliveryState,
} from "./notification-channel.ts";
export {
  AccountNameSchema,
  ApiTokenCreated,
  LoginCode,
  LoginCodeExchange,
  NewLoginCode,
  ApiTokenIdSchema,
  ApiTokenList,
  ApiTokenView,
  GrantsChange,
  NewApiToken,
  NewOperator,
  OperatorList,
  OperatorView,
  PasswordChange,
  PasswordSet,
  RESERVED_ACCOUNT_NAMES,
  SessionView,
  Setup,
  SignedInList,
  SignedInView,
  SignIn,
  type PrincipalKind,
} from "./access-view.ts";
export {
  AccessGrant,
  AccessGrants,
  ALL_MODELS,
  CSRF_HEADER,
  grantsAllow,
  grantsAllowSomewhere,
  MAX_GRANTS,
  RIGHTS,
  ROLE_RIGHTS,
  ROLES,
  RoleSchema,
  type Right,
  type Role,
} from "./access.ts";
export {
  AUDIT_ACTIONS,
  AuditActor,
  auditHash,
  AuditHead,
  auditHeadAfter,
  auditHeadOf,
  AuditObject,
  AuditRecord,
  EMPTY_AUDIT_LOG,
  followAudit,
  MAX_AUDIT_DETAIL_BYTES,
  nextAuditRecord,
  type AuditAction,
  type NewAuditRecord,
} from "./audit-log.ts";
export { createAuditCheck, type AuditCheck, type KnownAuditHead } from "./audit-check.ts";
export { AuditFileHeader } from "./audit-file.ts";
export { AuditList, AuditQuery, AuditRecords, AuditRecordsQuery } from "./audit-view.ts";
export { canonicalText, type JsonDocument } from "./canonical-text.ts";
export { deltaPath, MAX_DELTAS, parseDeltaPath, parseVersionFile, type VersionFile } from "./delta-path.ts";
export {
  parseRollout,
  parseWithdrawnVersions,
  Rollout,
  RolloutArm,
  RolloutIdSchema,
  RolloutShare,
  WithdrawnVersions,
} from "./rollout.ts";
export {
  armOf,
  ROLLOUT_SHARE_UNITS,
  rolloutDevice,
  rolloutManifestPath,
  type RolloutDevice,
} from "./rollout-arm.ts";
export { rolloutPath, withdrawnPath } from "./rollout-paths.ts";
export { readRollout, readWithdrawnVersions } from "./read-rollout.ts";
export {
  evidenceOf,
  parseRolloutSpec,
  ROLLOUT_EVIDENCE,
  ROLLOUT_METRICS,
  RolloutGate,
  RolloutSpec,
  RolloutStep,
  type RolloutEvidence,
  type RolloutMetric,
} from "./rollout-spec.ts";
export {
  ROLLOUT_STATES,
  RolloutChange,
  RolloutComparison,
  RolloutGateView,
  RolloutList,
  RolloutListQuery,
  RolloutReason,
  RolloutSimulation,
  RolloutView,
  VersionWithdrawal,
  WithdrawnVersionList,
  WithdrawnVersionView,
  type RolloutStateName,
} from "./rollout-view.ts";
export { STEP_PRECISIONS } from "./step-precision.ts";
export {
  CERTIFICATE_TYPE,
  CLOCK_TOLERANCE_MS,
  createMemberVerifier,
  issueCertificate,
  readCertificate,
  verifyCertificate,
  verifyIssued,
  verifyMember,
  type Certificate,
  type CertificateFields,
  type MemberIdentity,
  type MemberRules,
  type VerifyMember,
} from "./certificate.ts";
export {
  CertificateLogView,
  encodeMembershipProof,
  LogConsistency,
  logConsistencyPath,
  LogConsistencyQuery,
  LogEntries,
  LogEntriesQuery,
  LogHead,
  logHeadOf,
  LogInclusion,
  LogInclusionQuery,
  requireLogContinues,
  timestampCustom,
  verifyMembership,
  type MembershipProof,
} from "./certificate-log.ts";
export {
  AliasChange,
  AliasList,
  AliasRequest,
  AliasSchema,
  AliasView,
  ALIAS_PATTERN,
  CANDIDATE,
  CHAMPION,
  MAX_ALIASES,
  NEWEST,
  VersionOrAlias,
  VersionOrAliasParam,
} from "./aliases.ts";
export { FIXED_ALIASES } from "./fixed-aliases.ts";
export {
  ChannelChange,
  ChannelHistory,
  ChannelHistoryQuery,
  ChannelList,
  ChannelView,
  MAX_CHANNELS,
  ReleaseRequest,
  SignedChannelView,
  STABLE_CHANNEL,
} from "./channels.ts";
export {
  decodeDeviceMessage,
  decodeServerMessage,
  encodeDeviceMessage,
  encodeServerMessage,
  errorOfRefusal,
  refusalOf,
} from "./control.ts";
export {
  CheckIn,
  Decline,
  DeviceMessage,
  Heartbeat,
  Hello,
  Ineligible,
  Leave,
  Ready,
  RefusedVersion,
  Running,
  SecureReady,
  Subscribe,
} from "./device-message.ts";
export {
  EvaluationGraphDocument,
  parsePlan,
  parseTaskSpec,
  Plan,
  TaskSpec,
  TrainingGraphDocument,
} from "./documents.ts";
export type { OptimizerStepDocument, WholeReason } from "./micro-batches.ts";
export {
  ADAPTER_KINDS,
  parsePersonalisation,
  PERSONALISATION_KEY,
  type AdapterKind,
  type PersonalAdapters,
  type Personalisation,
} from "./personalisation.ts";
export { GraphPort, GraphPorts, ParameterSchemaDocument } from "./graph-ports.ts";
export { EXPLANATION_KEY, ExplanationSpec, parseExplanationSpec } from "./explanation.ts";
export { type InputSample, parseVariantNames, VariantDocument, VARIANTS_KEY } from "./model-variants.ts";
export { VARIANT_NAMES, VARIANT_USES, type VariantForm, type VariantUse } from "./variant-uses.ts";
export { CALIBRATION_KEY, CalibrationDocument, parseCalibration } from "./calibration.ts";
export { imageSizes } from "./image-sizes.ts";
export { ModelManifest, parseModelManifest } from "./model-manifest.ts";
export { readModelManifest } from "./read-manifest.ts";
export {
  ImageProcessing,
  ModelProcessing,
  OutputProcessing,
  parseProcessing,
  PROCESSING_KEY,
  ProcessingDocument,
  type InputProcessing,
} from "./model-processing.ts";
export { ISSUER_TARGET, IssuerDocument, parseIssuerDocument } from "./issuer-document.ts";
export {
  ExportedVersion,
  parseExportedVersion,
  type ExportedFile,
  type ExportedRole,
} from "./exported-version.ts";
export { parseVersionFiles, VersionFiles } from "./version-files.ts";
export {
  FileRef,
  parseVersionStep,
  ReproductionView,
  VersionStep,
  type MissingSource,
  type ReproducedFile,
} from "./version-step.ts";
export {
  BlobCreated,
  CERTIFICATE_SCHEME,
  DevicesView,
  CertificateRequest,
  EnrolmentRequest,
  EnrolmentResponse,
  ProblemBody,
  IssuerView,
  ModelList,
  ModelView,
  PROOF_HEADER,
  PushView,
  RefusalList,
  RefusalListQuery,
  RefusalView,
  PublishQuery,
  RESTORED_OPTIMIZERS,
  ROUND_PHASES,
  RoundList,
  PhaseBegin,
  RoundListQuery,
  VersionListQuery,
  RoundView,
  RefusedVersionView,
  StatusView,
  SUSPICION_STATES,
  SuspicionList,
  SuspicionView,
  TASK_STATES,
  TaskList,
  TaskReset,
  TaskResetView,
  TaskStateChange,
  TaskView,
  UploadAccepted,
  VersionList,
  VersionView,
  type RoundPhase,
  type ServerEventName,
  type ServerEvents,
  type TaskState,
} from "./http.ts";
export {
  deviceIdOf,
  enrolmentMessage,
  erasureMessage,
  healthMessage,
  helloMessage,
  uploadMessage,
  verifySignature,
  type Sign,
} from "./identity.ts";
export { BufferedCohortView, BufferView, LiveBaseView, TaskBuffer } from "./buffer-view.ts";
export { bufferedMode, TASK_MODES, TaskMode, type BufferedMode } from "./task-mode.ts";
export { DeviceErasure, erasurePath } from "./device-erasure.ts";
export {
  healthPath,
  HealthReport,
  MIN_HEALTH_INTERVAL_MS,
  ModelHealthView,
  VersionHealthView,
} from "./device-health.ts";
export {
  DEVICE_STATES,
  DeviceDetailView,
  DeviceList,
  DeviceListQuery,
  DeviceRevocation,
  DeviceTagSchema,
  DeviceView,
  FLEET_HOURS_KEPT,
  FleetHistory,
  FleetHistoryQuery,
  FleetQuery,
  FleetView,
  MAX_ADOPTION_LINES,
  MAX_DEVICE_TAGS,
  MAX_FLEET_GROUPS,
  type DeviceState,
} from "./fleet.ts";
export {
  DEFAULT_RETENTION,
  RETENTION_REASONS,
  RetentionPreview,
  RetentionRule,
  RetentionView,
  type RetentionReason,
} from "./retention.ts";
export { CardNotes, CardNotesView, MAX_NOTE_LENGTH, ModelCard } from "./model-card.ts";
export { Lineage, LineageCohort, MadeBy } from "./lineage.ts";
export { isHeldOut } from "./held-out.ts";
export { LEARNING_RATE_SCHEDULES, learningRateAt, LearningRateSchedule } from "./learning-rate.ts";
export { LIMITS, MAX_PORTS, MAX_SOFTWARE_BYTES, type LimitName } from "./limits.ts";
export { COMPARED, ComparedSubject, CompareQuery, CompareView } from "./compare-view.ts";
export {
  ESTIMATE_CAVEATS,
  ESTIMATE_STATES,
  EstimateFleet,
  EstimateParams,
  EstimateRequest,
  EstimateResult,
  EstimateView,
  TaskValidation,
} from "./estimate-view.ts";
export { DRIFT_SUBJECTS, DriftHistory, DriftHistoryQuery, PSI_LEVELS } from "./drift-history.ts";
export { NOT_PRIVATE, PrivacyView, TaskPrivacy } from "./privacy-view.ts";
export {
  FIELD_TYPES,
  SEARCH_KINDS,
  SearchFieldList,
  SearchQuery,
  SearchResult,
  SearchView,
  type SearchKind,
} from "./search-view.ts";
export {
  MeasurementPlan,
  measuredWeights,
  MetricDocument,
  TelemetryReference,
  metricsDigest,
  MAX_FIXED_CODES,
  parseMeasurementPlan,
  type EvaluationPlan,
} from "./measurement-plan.ts";
export {
  ComparisonView,
  DriftView,
  GateView,
  MeasurementList,
  MeasurementListQuery,
  MeasurementView,
  VerdictView,
} from "./measurement-view.ts";
export {
  GATE_METRICS,
  GateSpec,
  RELEASE_POLICIES,
  ROUND_PURPOSES,
  TASK_KINDS,
  TELEMETRY_GROUPS,
  type ReleasePolicy,
  type RoundPurpose,
  type TaskKind,
  type TelemetryGroup,
} from "./measuring.ts";
export {
  batchRanges,
  completedBy,
  consistencyRanges,
  emptyTreeHash,
  foldNodes,
  inclusionRanges,
  isConsistent,
  leafHash,
  MAX_TREE_SIZE,
  nodeHash,
  nodesOf,
  rootOfBatch,
  rootOfInclusion,
  type ConsistencyClaim,
  type InclusionClaim,
  type LeafRange,
  type TreeHash,
  type TreeNode,
} from "./merkle-tree.ts";
export { invalidDocument, parseJson } from "./json.ts";
export { readPublicKey } from "./public-key.ts";
export { parseDocument } from "./parse.ts";
export {
  CAPABILITY_SCHEME,
  secureAnswerPath,
  secureInputPath,
  SecurePlan,
  SECURE_STEPS,
  SecureSpec,
  SecureView,
  type SecureStepName,
} from "./secure-aggregation.ts";
export { usesControlVariates } from "./control-variates.ts";
export { SelfCheck } from "./self-check.ts";
export { TrustView } from "./trust-view.ts";
export {
  DraftView,
  KeyRoleChange,
  KeyRoleList,
  KeyRoleView,
  PublicKeyBody,
  PublicKeyList,
  ROLE_NAME_PATTERN,
  RoleNameSchema,
  SignedDraft,
} from "./signing-keys.ts";
export {
  Challenge,
  HeartbeatAck,
  MeasurementOffer,
  Offer,
  Outcome,
  type RoundOffer,
  Refusal,
  RefusalDetail,
  Release,
  RequestReport,
  SecureStep,
  ServerMessage,
  Wait,
  Welcome,
  type OutcomeResult,
  type VersionReference,
} from "./server-message.ts";
export {
  ChannelSchema,
  DeviceIdSchema,
  DigestSchema,
  DTYPES,
  ModelNameSchema,
  ModelVersionSchema,
  PopulationNameSchema,
  RoundIdSchema,
  TargetPathSchema,
  TaskNameSchema,
  TimestampSchema,
} from "./schema.ts";
export {
  EligibilityRules,
  INELIGIBLE_REASONS,
  TRAINING_ENGINES,
  type IneligibleReason,
} from "./task-eligibility.ts";
export { TaskActivityView, type TaskActivityChange } from "./task-activity.ts";
export { TASK_SCHEMA, TASK_SCHEMA_ID } from "./task-schema.ts";
export type { RetryRules } from "./task-retries.ts";
export { scheduleAt, TaskSchedule, type ScheduleState } from "./task-schedule.ts";
export { SelectionRules, SeparationRules } from "./task-selection.ts";
export { STOP_METRICS, StopRules, TASK_REASONS, TaskReason, type StopMetric } from "./task-stop.ts";
export {
  LOCAL_OPTIMIZERS,
  LocalOptimizer,
  LOSS_KINDS,
  LossSpec,
  METRIC_KINDS,
  MetricSpec,
} from "./training-options.ts";
export {
  decodeUpdateHeader,
  encodeUpdate,
  updateValues,
  UpdateHeader,
  type DecodedUpdateHeader,
} from "./update.ts";
export {
  checkVersion,
  chooseVersion,
  SUBPROTOCOL,
  SUPPORTED_VERSIONS,
  type VersionRange,
} from "./version.ts";
export {
  BATCH_NORMALIZATION_MODES,
  layoutOfParameters,
  UPDATE_ROLES,
  updateSchema,
  type AdapterSpec,
  type BatchNormalizationMode,
  type PlanAdapters,
  type UpdateLayout,
  type UpdateTensor,
} from "./update-layout.ts";
export { parseTfjsModel, TfjsModelDocument, type ModelFormat, type TfjsTraining } from "./tfjs-model.ts";
export {
  parseTfjsStep,
  TFJS_LOSSES,
  type TfjsEvaluationStep,
  type TfjsLoss,
  type TfjsLossKind,
  type TfjsMetric,
  type TfjsStep,
  type TfjsTrainingStep,
} from "./tfjs-step.ts";
export type { TextProcessing } from "./text-processing.ts";
