import type { paths } from "./generated/api.ts";

// The JSON shapes of the HTTP API, taken from its OpenAPI document. Times are RFC 3339 in UTC, newest come first.

/** What is read is shared, and nobody changes it. */
type Frozen<Json> = Json extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : Json extends object
    ? { readonly [Field in keyof Json]: Frozen<Json[Field]> }
    : Json;

/** The JSON of an answer to `GET Path`. */
type Answer<Path extends keyof paths> = paths[Path] extends {
  get: {
    responses: { 200: { content: { "application/json": infer Body } } };
  };
}
  ? Frozen<Body>
  : never;

/** The JSON a `POST Path` takes. */
type Body<Path extends keyof paths> = paths[Path] extends {
  post: { requestBody?: { content: { "application/json": infer Json } } };
}
  ? Frozen<Json>
  : never;

/** Who asks, and how one can sign in. */
export type SessionView = Answer<"/v1/session">;
/** A role, of one model or (`*`) of all. */
export type AccessGrant = OperatorView["grants"][number];
/** An account. */
export type OperatorView = Answer<"/v1/operators">["operators"][number];
export type NewOperator = Body<"/v1/operators">;
/** What a program signs in with, without the token itself. */
export type ApiTokenView = Answer<"/v1/api-tokens">["tokens"][number];
export type NewApiToken = Body<"/v1/api-tokens">;
/** What whoever is signed in lets a command line do. */
export type NewLoginCode = Body<"/v1/login-codes">;
/** With the token itself, which is nowhere else. */
export interface ApiTokenCreated {
  readonly token: string;
  readonly view: ApiTokenView;
}
/** A browser that is signed in. */
export type SignedInView = Answer<"/v1/operator-sessions">["sessions"][number];

/** Who signs a role of the release. */
export type KeyRoleView = Answer<"/v1/keys">["roles"][number];
export type PublicKeyBody = Answer<"/v1/keys/{role}/keys">["keys"][number];
export interface KeyRoleChange {
  readonly keys?: readonly PublicKeyBody[];
  readonly threshold?: number;
}
/** The next metadata of a role, which waits for signatures. */
export type DraftView = Answer<"/v1/keys/{role}/draft">;
/** Records of the audit log, and its head. */
export type AuditView = Answer<"/v1/audit">;
export type AuditRecordView = AuditView["records"][number];
export type StatusView = Answer<"/v1/status">;
/** Connected devices, and those with an open offer. */
export type DevicesView = StatusView["devices"];
/** Why nothing can be stored at present, or that all can. */
export interface StorageChange {
  readonly problem: StatusView["storageProblem"];
}
export type ModelView = Answer<"/v1/models/{model}">;
/** What is known of a version, for whoever is to use it. */
export type ModelCard = Answer<"/v1/models/{model}/versions/{version}/card">;
/** What operators wrote on the cards of a model. */
export type CardNotesView = Answer<"/v1/models/{model}/card-notes">;
export type CardNotes = NonNullable<CardNotesView["notes"]>;
/** Which versions of a model can be downloaded, and the rule by which they stay. */
export type RetentionView = Answer<"/v1/models/{model}/retention">;
export type RetentionRule = RetentionView["rule"];
/** What a rule would do. */
export type RetentionPreview = Answer<"/v1/models/{model}/retention/preview">;
/** What a channel points to. */
export type ChannelView = ModelView["channels"][number];
/** And whether the signed release says so. */
export type SignedChannelView = Answer<"/v1/models/{model}/channels">["channels"][number];
export type ChannelHistoryPage = Answer<"/v1/models/{model}/channels/{channel}/history">;
/** A channel other than stable was moved or, where the version is null, removed. */
export type ChannelChange = Omit<ChannelView, "version" | "releasedAt"> & {
  readonly model: string;
  readonly version: number | null;
  readonly at: string;
};
export type AlertPage = Answer<"/v1/alerts">;
/** Something that a rule found, until it has resolved. */
export type AlertView = AlertPage["alerts"][number];
/** How many alerts have not resolved. */
export type AlertCounts = AlertPage["counts"];
/** What is looked at. */
export type AlertRuleView = Answer<"/v1/alert-rules">["rules"][number];
/** A rule as an operator writes it: what is left out is as by default. */
export type AlertRuleInput = Pick<AlertRuleView, "name" | "kind"> &
  Partial<
    Pick<
      AlertRuleView,
      "enabled" | "severity" | "threshold" | "forMs" | "repeatMs" | "models" | "tasks" | "advice"
    >
  >;
/** For so long alerts that match are told to nobody. */
export type SilenceView = Answer<"/v1/alert-silences">["silences"][number];
export type NewSilence = Body<"/v1/alert-silences">;
/** What is decided without an operator. */
export type PolicyView = Answer<"/v1/policies">["policies"][number];
/** What a policy decided, and on what. */
export type PolicyDecisionView = PolicyDecisionPage["decisions"][number];
export type PolicyDecisionPage = Answer<"/v1/policy-decisions">;
/** A policy as an operator writes it: what is left out is as by default. */
export type PolicyInput = Pick<PolicyView, "name"> &
  Partial<Pick<PolicyView, "enabled" | "dryRun" | "cooldownMs">> & {
    readonly budget?: Partial<PolicyView["budget"]>;
    readonly does: Partial<PolicyView["does"]> & Pick<PolicyView["does"], "kind">;
  };
/** Where alerts are told. */
export type NotificationChannelView = Answer<"/v1/notification-channels">["channels"][number];
type NotificationChannel = Frozen<
  paths["/v1/notification-channels/{channel}"]["put"]["requestBody"]["content"]["application/json"]
>;
/** A channel as an operator writes it: what is left out is as by default. */
export type NotificationChannelInput = { readonly name: string } & Partial<
  Pick<NotificationChannel, "enabled" | "minimumSeverity" | "rules" | "resolved">
> & {
    readonly target: Loose<NotificationChannel["target"]>;
  };
/** Of each kind of target what has a default may be left out. */
type Loose<Target> = Target extends { readonly kind: "email" }
  ? Omit<Target, "port" | "security" | "user" | "password"> &
      Partial<Pick<Target, Extract<keyof Target, "port" | "security" | "user" | "password">>>
  : Target extends { readonly kind: "webhook" }
    ? Omit<Target, "secret"> & Partial<Pick<Target, Extract<keyof Target, "secret">>>
    : Target;
/** What was told there, or waits to be. */
export type DeliveryView = DeliveryPage["deliveries"][number];
export type DeliveryPage = Answer<"/v1/notification-channels/{channel}/deliveries">;
/** What a version is called. */
export type AliasView = ModelView["aliases"][number];
/** An operator moved an alias or, where the version is null, removed it. */
export type AliasChange = Pick<AliasView, "name"> & {
  readonly model: string;
  readonly version: number | null;
  readonly at: string;
};
export type GraphPort = ModelView["inputs"][number];
export type VersionView = VersionPage["versions"][number];
export type VersionPage = Answer<"/v1/models/{model}/versions">;
export type TaskView = Answer<"/v1/tasks/{task}">;
/** When a task's next round may begin, and what its devices do. */
export type TaskActivityView = Answer<"/v1/tasks/{task}/activity">;
/** What a task waits for now. */
export type TaskActivityChange = TaskActivityView & { readonly task: string };
/** Everything that a version consists of, by digest. */
export type VersionFiles = Answer<"/v1/models/{model}/versions/{version}/files">;
/** Whether a version's step, taken again, makes the same. */
export type ReproductionView = Frozen<
  paths["/v1/models/{model}/versions/{version}/reproduction"]["post"]["responses"][200]["content"]["application/json"]
>;
/** A task that goes on from another version of its model. */
export type TaskResetView = Frozen<
  paths["/v1/tasks/{task}/head"]["post"]["responses"][200]["content"]["application/json"]
>;
export type RoundView = Answer<"/v1/rounds/{roundId}">;
export type RoundPage = Answer<"/v1/tasks/{task}/rounds">;
/** An update of a round that did not count, its sender and the reason. */
export type RefusalView = RefusalPage["refusals"][number];
export type RefusalPage = Answer<"/v1/rounds/{roundId}/refusals">;
/** A device in secure cohorts of a task whose sums failed. */
export type SuspicionView = Answer<"/v1/tasks/{task}/suspicions">["suspicions"][number];
/** How full a buffered task's next version is. */
export type BufferView = NonNullable<Answer<"/v1/tasks/{task}/buffer">["buffer"]>;
/** What the devices of one round measured. */
export type MeasurementView = MeasurementPage["measurements"][number];
export type MeasurementPage = Answer<"/v1/tasks/{task}/measurements">;
/** Two versions on the same examples. */
export type ComparisonView = NonNullable<MeasurementView["comparison"]>;
/** How one version fares on the devices that tell of it. */
export type VersionHealthView = Answer<"/v1/models/{model}/health">["versions"][number];
/** How far what was counted lies from its reference. */
export type DriftView = MeasurementView["drift"][number];
/** Where a task's gate stands. */
export type GateView = NonNullable<TaskView["gate"]>;
/** What a gate found of a version. */
export type VerdictView = NonNullable<VersionView["gate"]>;
/** A page of the fleet's devices. */
export type DevicePage = Answer<"/v1/devices">;
export type DeviceView = DevicePage["devices"][number];
/** What is known of one device. */
export type DeviceDetailView = Answer<"/v1/devices/{device}">;
/** Devices by what they have in common. */
export type FleetView = Answer<"/v1/fleet">;
/** Check-ins and versions, hour by hour. */
export type FleetHistoryView = Answer<"/v1/fleet/history">;
/** Heads of the certificate log. */
export type CertificateLogView = Answer<"/v1/certificate-log">;
/** Certificates as compact JWTs, in the log's order. */
export type LogEntries = Answer<"/v1/certificate-log/entries">;
/** Versions, rounds and tasks that were searched for. */
export type SearchView = Answer<"/v1/search">;
/** How what devices of a task tell of their data moved away from its reference. */
export type DriftHistory = Answer<"/v1/tasks/{task}/drift">;
export type DriftMetric = DriftHistory["metrics"][number];
/** What is known of devices. */
export type PrivacyView = Answer<"/v1/privacy">;
/** What the rounds of a task hid. */
export type TaskPrivacy = Answer<"/v1/tasks/{task}/privacy">;
/** What a task would take and cost, simulated before it starts. */
export type EstimateView = Answer<"/v1/estimates/{id}">;
export type EstimateResult = NonNullable<EstimateView["result"]>;
type EstimateRequest = Body<"/v1/tasks/estimate">;
/** As one asks for it: what is left out gets the coordinator's default. */
export interface EstimateInput {
  /** A task's document. */
  readonly task: unknown;
  readonly fleet?: Partial<EstimateRequest["fleet"]>;
  readonly goal?: Partial<EstimateRequest["goal"]>;
  readonly budgetSeconds?: number;
}
/** Tasks and versions side by side. */
export type CompareView = Answer<"/v1/compare">;
export type SearchResult = SearchView["results"][number];
export type SearchKind = SearchResult["kind"];
export type SearchField = Answer<"/v1/search/fields">["fields"][number];
export type RoundPhase = RoundView["phase"];

/** What a task learns and how, every field filled in. */
export type TaskSpec = TaskView["spec"];
/** A task as an operator writes it: what is left out gets the coordinator's default. */
export type TaskSpecInput = Body<"/v1/tasks">;
export type TaskStateChange = Body<"/v1/tasks/{task}/state">;

/** A version that reaches a channel's devices in steps. */
export type RolloutView = Answer<"/v1/models/{model}/rollouts/{rollout}">;
export type RolloutPage = Answer<"/v1/models/{model}/rollouts">;
/** How treated devices compare with the control, by one gate. */
export type RolloutGateView = RolloutView["gates"][number];
export type RolloutChange = Body<"/v1/models/{model}/rollouts/{rollout}/state">;
/** A rollout's document, every field filled in. */
export type RolloutSpec = RolloutView["spec"];
/** As an operator writes it: what is left out gets the coordinator's default. */
export type RolloutSpecInput = Body<"/v1/models/{model}/rollouts">;
/** A version that no device runs any more. */
export type WithdrawnVersionView = Answer<"/v1/models/{model}/withdrawals">["withdrawals"][number];

export type BlobCreated = Frozen<paths["/v1/blobs"]["post"]["responses"][201]["content"]["application/json"]>;
