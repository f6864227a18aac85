import createFetchClient, { type Client } from "openapi-fetch";
import { alertsApi, type AlertsApi } from "./alerts-api.ts";
import { notifyApi, type NotifyApi } from "./notify-api.ts";
import { policiesApi, type PoliciesApi } from "./policies-api.ts";
import type { paths } from "./generated/api.ts";
import { errorFromBody, errorFromThrown, notJson } from "./http-error.ts";
import type {
  AccessGrant,
  AliasView,
  ApiTokenCreated,
  ApiTokenView,
  AuditRecordView,
  AuditView,
  BlobCreated,
  BufferView,
  CardNotes,
  CardNotesView,
  CertificateLogView,
  ChannelView,
  CompareView,
  DraftView,
  DriftHistory,
  EstimateInput,
  EstimateView,
  DeviceDetailView,
  DevicePage,
  DeviceView,
  FleetHistoryView,
  FleetView,
  KeyRoleChange,
  KeyRoleView,
  LogEntries,
  MeasurementView,
  ModelCard,
  ModelView,
  PrivacyView,
  NewApiToken,
  NewOperator,
  OperatorView,
  PublicKeyBody,
  RefusalView,
  RetentionRule,
  RetentionView,
  RolloutChange,
  RolloutSpecInput,
  RolloutView,
  ReproductionView,
  RoundView,
  SearchField,
  SearchKind,
  SearchView,
  SessionView,
  SignedInView,
  StatusView,
  SuspicionView,
  TaskActivityView,
  TaskPrivacy,
  TaskResetView,
  TaskSpec,
  TaskSpecInput,
  TaskStateChange,
  TaskView,
  VersionFiles,
  VersionHealthView,
  VersionView,
  WithdrawnVersionView,
} from "./views.ts";

export interface ApiClientOptions {
  /** Where the coordinator is, e.g. `http://127.0.0.1:7700`. */
  readonly baseUrl: string | URL;
  /** An operator's token; a page that signed in has its cookie instead. */
  readonly token?: string | undefined;
  /** What a page that signed in sends with what it changes, of its session. */
  readonly csrfToken?: string | undefined;
  readonly fetch?: typeof globalThis.fetch;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface SearchOptions extends CallOptions {
  /** Only these; left out: all that know the fields of the query. */
  readonly kind?: SearchKind | undefined;
  /** At most this many, 1 to 200. @defaultValue 50 */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export interface RoundsOptions extends CallOptions {
  /** At most this many, 1 to 500. @defaultValue 100 */
  readonly limit?: number | undefined;
  /** Only rounds with a lower number: the next page begins at the last number of this one. */
  readonly before?: number | undefined;
}

export interface VersionsOptions extends CallOptions {
  /** At most this many, 1 to 500. @defaultValue 500 */
  readonly limit?: number | undefined;
  /** Only versions with a lower number: the next page begins at the last number of this one. */
  readonly before?: number | undefined;
}

export interface MeasurementsOptions extends CallOptions {
  /** At most this many, 1 to 500. @defaultValue 100 */
  readonly limit?: number | undefined;
}

export interface ReleaseOptions extends CallOptions {
  /** Which channel is moved; one that is not there is made. @defaultValue "stable" */
  readonly channel?: string | undefined;
}

export interface PublishOptions extends CallOptions {
  /** False: no channel points to it, so that it can be rolled out in steps. @defaultValue true */
  readonly release?: boolean | undefined;
  /** Least version of the runtime that may run it. */
  readonly runtime?: string | undefined;
  /** SHA-256 of the manifest that the version was exported with: it is in the audit log. */
  readonly importedFrom?: string | undefined;
}

export interface LogEntriesOptions extends CallOptions {
  readonly start: number;
  /** 1 to 1000. @defaultValue 1000 */
  readonly limit?: number | undefined;
}

/** What is looked for in the audit log: records of which all that is given holds. */
export type AuditFilter = Partial<paths["/v1/audit"]["get"]["parameters"]["query"]>;

/** What is looked for among devices, and which page: those of which all that is given holds. */
export type DeviceFilter = Partial<paths["/v1/devices"]["get"]["parameters"]["query"]>;

/** Which hours, and whose. */
export interface FleetHistoryOptions extends CallOptions {
  /** Whose versions; without it check-ins alone. */
  readonly model?: string | undefined;
  readonly population?: string | undefined;
  /** 1 to 2160. @defaultValue 168 */
  readonly hours?: number | undefined;
}

export interface AuditRecordsOptions extends CallOptions {
  readonly start: number;
  /** 1 to 1000. @defaultValue 1000 */
  readonly limit?: number | undefined;
}

/**
 * The operators' side of the HTTP API, one method a route. Every method rejects with a `TributaryError`: the
 * coordinator's own, `transport/connect-failed` when nobody answers, `http/unexpected-response` when something else
 * does; or with the signal's reason.
 */
export interface ApiClient extends AlertsApi, NotifyApi, PoliciesApi {
  status(options?: CallOptions): Promise<StatusView>;
  models(options?: CallOptions): Promise<readonly ModelView[]>;
  model(name: string, options?: CallOptions): Promise<ModelView>;
  /** Newest first. */
  versions(model: string, options?: VersionsOptions): Promise<readonly VersionView[]>;
  /** One of them, by its number or what it is called. */
  version(model: string, version: number | string, options?: CallOptions): Promise<VersionView>;
  /** What is known of a version, for whoever is to use it. */
  card(model: string, version: number | string, options?: CallOptions): Promise<ModelCard>;
  /** The same as Markdown. */
  cardMarkdown(model: string, version: number | string, options?: CallOptions): Promise<string>;
  cardNotes(model: string, options?: CallOptions): Promise<CardNotesView>;
  /** Writes on the cards of a model, in the place of what was there. */
  setCardNotes(model: string, notes: Partial<CardNotes>, options?: CallOptions): Promise<CardNotesView>;
  /** Everything that a version consists of, and how it came from its parent, by digest. */
  versionFiles(model: string, version: number | string, options?: CallOptions): Promise<VersionFiles>;
  /** Takes the step that made a version again, and compares. */
  reproduce(model: string, version: number | string, options?: CallOptions): Promise<ReproductionView>;
  /** How its versions fare on single devices, newest first. */
  health(model: string, options?: CallOptions): Promise<readonly VersionHealthView[]>;
  tasks(options?: CallOptions): Promise<readonly TaskView[]>;
  task(name: string, options?: CallOptions): Promise<TaskView>;
  /** What the task waits for. */
  activity(task: string, options?: CallOptions): Promise<TaskActivityView>;
  /** Newest first. */
  rounds(task: string, options?: RoundsOptions): Promise<readonly RoundView[]>;
  round(id: string, options?: CallOptions): Promise<RoundView>;
  /** Updates of a round that did not count, newest first. */
  refusals(roundId: string, options?: CallOptions): Promise<readonly RefusalView[]>;
  /** Devices in secure cohorts of a task whose sums failed: the quarantined, then the most suspected. */
  suspicions(task: string, options?: CallOptions): Promise<readonly SuspicionView[]>;
  /** How full the buffer of a task in buffered mode is; null where its rounds are synchronous. */
  buffer(task: string, options?: CallOptions): Promise<BufferView | null>;
  /** What the devices of a task measured, round by round, newest first. */
  measurements(task: string, options?: MeasurementsOptions): Promise<readonly MeasurementView[]>;
  /** Versions, rounds and tasks that a query asks for, newest first: `accuracy > 0.95 and strategy = fedAdam`. */
  search(query: string, options?: SearchOptions): Promise<SearchView>;
  /** A task's document as its creation would read it; nothing is created. */
  validateTask(document: unknown, options?: CallOptions): Promise<TaskSpec>;
  /** Begins to simulate a task that does not run yet: read the estimate by its id. */
  estimateTask(request: EstimateInput, options?: CallOptions): Promise<EstimateView>;
  estimate(id: string, options?: CallOptions): Promise<EstimateView>;
  cancelEstimate(id: string, options?: CallOptions): Promise<EstimateView>;
  /** How what devices of a task tell of their data moved away from its reference. */
  drift(task: string, options?: MeasurementsOptions): Promise<DriftHistory>;
  /** What is known of devices, who vouches for them, what is kept and for how long. */
  privacy(options?: CallOptions): Promise<PrivacyView>;
  /** What the rounds of a task hid, and what they did not. */
  taskPrivacy(task: string, options?: CallOptions): Promise<TaskPrivacy>;
  /** Two to six tasks (`digits`) or versions (`digits@12`) side by side. */
  compare(of: readonly string[], options?: CallOptions): Promise<CompareView>;
  /** What can be searched by. */
  searchFields(options?: CallOptions): Promise<readonly SearchField[]>;
  /** Moves a channel of a model to a version, which may be given by an alias. */
  releaseVersion(model: string, version: number | string, options?: ReleaseOptions): Promise<VersionView>;
  /** stable first, then by name. */
  channels(model: string, options?: CallOptions): Promise<readonly ChannelView[]>;
  /** Each version that a channel pointed to once, what it was last moved to first: 100 at most. */
  channelHistory(model: string, channel: string, options?: CallOptions): Promise<readonly ChannelView[]>;
  /** Devices on the channel stay on their version. Gives those that are left. */
  removeChannel(model: string, channel: string, options?: CallOptions): Promise<readonly ChannelView[]>;
  /** Newest first. */
  rollouts(model: string, options?: CallOptions): Promise<readonly RolloutView[]>;
  rollout(model: string, rollout: string, options?: CallOptions): Promise<RolloutView>;
  startRollout(model: string, spec: RolloutSpecInput, options?: CallOptions): Promise<RolloutView>;
  /** Pauses it, lets it go on, ends it, takes it back, or releases one of its arms. */
  changeRollout(
    model: string,
    rollout: string,
    change: RolloutChange,
    options?: CallOptions,
  ): Promise<RolloutView>;
  /** Versions that no device runs any more, newest first. */
  withdrawals(model: string, options?: CallOptions): Promise<readonly WithdrawnVersionView[]>;
  /** No device runs the version any more, and it is offered to none again. */
  withdrawVersion(
    model: string,
    version: number,
    reason: string,
    options?: CallOptions,
  ): Promise<WithdrawnVersionView>;
  /** What versions of a model are called, by name. */
  aliases(model: string, options?: CallOptions): Promise<readonly AliasView[]>;
  /** Gives a version a name, and takes it from the one that had it. */
  moveAlias(
    model: string,
    alias: string,
    version: number | string,
    options?: CallOptions,
  ): Promise<AliasView>;
  /** Gives the aliases that are left. */
  removeAlias(model: string, alias: string, options?: CallOptions): Promise<readonly AliasView[]>;
  /** Which versions of a model can be downloaded, and why they stay. */
  retention(model: string, options?: CallOptions): Promise<RetentionView>;
  /** Gives a model another rule: what does not stay by it leaves the release at once. */
  setRetention(model: string, rule: RetentionRule, options?: CallOptions): Promise<RetentionView>;
  /** Lets a device take part again, and suspects it no more. */
  releaseDevice(task: string, device: string, options?: CallOptions): Promise<SuspicionView>;
  /** Devices by id, page by page. */
  devices(filter?: DeviceFilter, options?: CallOptions): Promise<DevicePage>;
  device(id: string, options?: CallOptions): Promise<DeviceDetailView>;
  /** Its connection ends within a second, and it is refused everywhere from then on. */
  revokeDevice(id: string, reason: string, options?: CallOptions): Promise<DeviceView>;
  /** Lets a revoked device enrol again. */
  readmitDevice(id: string, options?: CallOptions): Promise<DeviceView>;
  /** Devices by version, engine, software and tag. */
  fleet(options?: CallOptions & { readonly population?: string | undefined }): Promise<FleetView>;
  /** Check-ins, and which versions ran on how many devices. */
  fleetHistory(options?: FleetHistoryOptions): Promise<FleetHistoryView>;
  /** The head of the certificate log, now and as it was signed last. */
  certificateLog(options?: CallOptions): Promise<CertificateLogView>;
  /** Certificates of the log from `start`, at most 1000. */
  logEntries(options: LogEntriesOptions): Promise<LogEntries>;
  /** What operators did and what was decided without them, newest first, and the log's head. */
  audit(filter?: AuditFilter, options?: CallOptions): Promise<AuditView>;
  /** The audit log in its order from `start`, at most 1000 records. */
  auditRecords(options: AuditRecordsOptions): Promise<readonly AuditRecordView[]>;
  /** Who signs each role of the release, and until when it is signed. */
  keys(options?: CallOptions): Promise<readonly KeyRoleView[]>;
  publicKeys(role: string, options?: CallOptions): Promise<readonly PublicKeyBody[]>;
  /** Gives a role other keys or another threshold. */
  setKeys(role: string, change: KeyRoleChange, options?: CallOptions): Promise<KeyRoleView>;
  /** Has the coordinator make a new key in the place of those of the role that are there. */
  rotateKey(role: string, options?: CallOptions): Promise<KeyRoleView>;
  /** The next metadata of a role, which waits for signatures. */
  draft(role: string, options?: CallOptions): Promise<DraftView>;
  /** Adds the signatures of a copy of the draft. */
  addSignatures(role: string, file: string, options?: CallOptions): Promise<KeyRoleView>;
  /** Publishes an ONNX file as a new model. */
  publishModel(name: string, onnx: Uint8Array, options?: PublishOptions): Promise<VersionView>;
  /** Uploads bytes, such as a held-out data set; they are named by their digest from then on. */
  uploadBlob(bytes: Uint8Array, options?: CallOptions): Promise<BlobCreated>;
  /** Creates a task and starts it. */
  createTask(spec: TaskSpecInput, options?: CallOptions): Promise<TaskView>;
  setTaskState(task: string, change: TaskStateChange, options?: CallOptions): Promise<TaskView>;
  /** Who asks, and how one can sign in. */
  session(options?: CallOptions): Promise<SessionView>;
  /** Signs a page in: the cookie comes with the answer. */
  signIn(name: string, password: string, options?: CallOptions): Promise<SessionView>;
  signOut(options?: CallOptions): Promise<SessionView>;
  /** Makes the first admin, with the code of the link that the coordinator printed. */
  setUp(code: string, name: string, password: string, options?: CallOptions): Promise<SessionView>;
  /** The accounts of operators, by name. */
  operators(options?: CallOptions): Promise<readonly OperatorView[]>;
  addOperator(operator: NewOperator, options?: CallOptions): Promise<OperatorView>;
  /** Other roles, from the next request on. */
  grantOperator(name: string, grants: readonly AccessGrant[], options?: CallOptions): Promise<OperatorView>;
  /** Signs their browsers out. */
  setOperatorPassword(name: string, password: string, options?: CallOptions): Promise<OperatorView>;
  /** With their sessions and tokens. */
  removeOperator(name: string, options?: CallOptions): Promise<readonly OperatorView[]>;
  /** Tokens for programs, without the tokens themselves. */
  apiTokens(options?: CallOptions): Promise<readonly ApiTokenView[]>;
  /** The token is in this answer alone. */
  createApiToken(token: NewApiToken, options?: CallOptions): Promise<ApiTokenCreated>;
  revokeApiToken(id: string, options?: CallOptions): Promise<readonly ApiTokenView[]>;
  /** The browsers that are signed in. */
  operatorSessions(options?: CallOptions): Promise<readonly SignedInView[]>;
  endOperatorSession(id: string, options?: CallOptions): Promise<readonly SignedInView[]>;
  /** Lets a task that does not run go on from another version of its model, with what its server optimizer remembered then. */
  resetTask(task: string, version: number, options?: CallOptions): Promise<TaskResetView>;
}

/** The filled-in task as openapi-fetch takes it: lists in it are not readonly. */
type TaskBody = paths["/v1/tasks"]["post"]["requestBody"]["content"]["application/json"];
type EstimateBody = NonNullable<
  paths["/v1/tasks/estimate"]["post"]["requestBody"]
>["content"]["application/json"];

/** Likewise. */
type RolloutBody = paths["/v1/models/{model}/rollouts"]["post"]["requestBody"]["content"]["application/json"];

/** Likewise. */
type KeyRoleBody = paths["/v1/keys/{role}"]["put"]["requestBody"]["content"]["application/json"];

/** Likewise. */
type CardNotesBody =
  paths["/v1/models/{model}/card-notes"]["put"]["requestBody"]["content"]["application/json"];

/** Likewise. */
type NewOperatorBody = paths["/v1/operators"]["post"]["requestBody"]["content"]["application/json"];

/** Likewise. */
type NewApiTokenBody = paths["/v1/api-tokens"]["post"]["requestBody"]["content"]["application/json"];

/** What openapi-fetch gives for any route. */
interface Result<Data> {
  readonly data?: Data;
  readonly error?: unknown;
  readonly response: Response;
}

/** The typed client of a coordinator, for browsers and Node. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const http = httpClient(options);
  return {
    ...alertsApi(http, { json, answered }),
    ...notifyApi(http, { json, answered }),
    ...policiesApi(http, { json, answered }),
    session: (call) => answered("GET /v1/session", call, () => http.GET("/v1/session", { ...json(call) })),
    signIn: (name, password, call) =>
      answered("POST /v1/session", call, () =>
        http.POST("/v1/session", { body: { name, password }, ...json(call) }),
      ),
    signOut: (call) =>
      answered("DELETE /v1/session", call, () => http.DELETE("/v1/session", { ...json(call) })),
    setUp: (code, name, password, call) =>
      answered("POST /v1/setup", call, () =>
        http.POST("/v1/setup", { body: { code, name, password }, ...json(call) }),
      ),
    operators: async (call) =>
      (await answered("GET /v1/operators", call, () => http.GET("/v1/operators", { ...json(call) })))
        .operators,
    addOperator: (operator, call) =>
      answered("POST /v1/operators", call, () =>
        http.POST("/v1/operators", { body: operator as NewOperatorBody, ...json(call) }),
      ),
    grantOperator: (operator, grants, call) =>
      answered(`PUT /v1/operators/${operator}/grants`, call, () =>
        http.PUT("/v1/operators/{operator}/grants", {
          params: { path: { operator } },
          body: { grants: [...grants] },
          ...json(call),
        }),
      ),
    setOperatorPassword: (operator, password, call) =>
      answered(`PUT /v1/operators/${operator}/password`, call, () =>
        http.PUT("/v1/operators/{operator}/password", {
          params: { path: { operator } },
          body: { password },
          ...json(call),
        }),
      ),
    removeOperator: async (operator, call) =>
      (
        await answered(`DELETE /v1/operators/${operator}`, call, () =>
          http.DELETE("/v1/operators/{operator}", { params: { path: { operator } }, ...json(call) }),
        )
      ).operators,
    apiTokens: async (call) =>
      (await answered("GET /v1/api-tokens", call, () => http.GET("/v1/api-tokens", { ...json(call) })))
        .tokens,
    createApiToken: (token, call) =>
      answered("POST /v1/api-tokens", call, () =>
        http.POST("/v1/api-tokens", { body: token as NewApiTokenBody, ...json(call) }),
      ),
    revokeApiToken: async (token, call) =>
      (
        await answered(`DELETE /v1/api-tokens/${token}`, call, () =>
          http.DELETE("/v1/api-tokens/{token}", { params: { path: { token } }, ...json(call) }),
        )
      ).tokens,
    operatorSessions: async (call) =>
      (
        await answered("GET /v1/operator-sessions", call, () =>
          http.GET("/v1/operator-sessions", { ...json(call) }),
        )
      ).sessions,
    endOperatorSession: async (session, call) =>
      (
        await answered(`DELETE /v1/operator-sessions/${session}`, call, () =>
          http.DELETE("/v1/operator-sessions/{session}", { params: { path: { session } }, ...json(call) }),
        )
      ).sessions,
    status: (call) => answered("GET /v1/status", call, () => http.GET("/v1/status", { ...json(call) })),
    models: async (call) =>
      (await answered("GET /v1/models", call, () => http.GET("/v1/models", { ...json(call) }))).models,
    model: (model, call) =>
      answered(`GET /v1/models/${model}`, call, () =>
        http.GET("/v1/models/{model}", { params: { path: { model } }, ...json(call) }),
      ),
    versions: async (model, { limit = 500, before, ...call } = {}) => {
      const query = { limit, ...(before === undefined ? {} : { before }) };
      const list = await answered(`GET /v1/models/${model}/versions`, call, () =>
        http.GET("/v1/models/{model}/versions", { params: { path: { model }, query }, ...json(call) }),
      );
      return list.versions;
    },
    version: (model, version, call) =>
      answered(`GET /v1/models/${model}/versions/${version}`, call, () =>
        http.GET("/v1/models/{model}/versions/{version}", {
          params: { path: { model, version: String(version) } },
          ...json(call),
        }),
      ),
    card: (model, version, call) =>
      answered(`GET /v1/models/${model}/versions/${version}/card`, call, () =>
        http.GET("/v1/models/{model}/versions/{version}/card", {
          params: { path: { model, version: String(version) } },
          ...json(call),
        }),
      ),
    cardMarkdown: async (model, version, call) => {
      const { text } = await answered(
        `GET /v1/models/${model}/versions/${version}/card.md`,
        call,
        async () => {
          const { data, ...result } = await http.GET("/v1/models/{model}/versions/{version}/card.md", {
            params: { path: { model, version: String(version) } },
            parseAs: "text",
            signal: call?.signal ?? null,
          });
          return { ...result, ...(data === undefined ? {} : { data: { text: data } }) };
        },
      );
      return text;
    },
    cardNotes: (model, call) =>
      answered(`GET /v1/models/${model}/card-notes`, call, () =>
        http.GET("/v1/models/{model}/card-notes", { params: { path: { model } }, ...json(call) }),
      ),
    setCardNotes: (model, notes, call) =>
      answered(`PUT /v1/models/${model}/card-notes`, call, () =>
        http.PUT("/v1/models/{model}/card-notes", {
          params: { path: { model } },
          // What is left out is empty.
          body: notes as CardNotesBody,
          ...json(call),
        }),
      ),
    versionFiles: (model, version, call) =>
      answered(`GET /v1/models/${model}/versions/${version}/files`, call, () =>
        http.GET("/v1/models/{model}/versions/{version}/files", {
          params: { path: { model, version: String(version) } },
          ...json(call),
        }),
      ),
    reproduce: (model, version, call) =>
      answered(`POST /v1/models/${model}/versions/${version}/reproduction`, call, () =>
        http.POST("/v1/models/{model}/versions/{version}/reproduction", {
          params: { path: { model, version: String(version) } },
          ...json(call),
        }),
      ),
    health: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/health`, call, () =>
          http.GET("/v1/models/{model}/health", { params: { path: { model } }, ...json(call) }),
        )
      ).versions,
    tasks: async (call) =>
      (await answered("GET /v1/tasks", call, () => http.GET("/v1/tasks", { ...json(call) }))).tasks,
    task: (task, call) =>
      answered(`GET /v1/tasks/${task}`, call, () =>
        http.GET("/v1/tasks/{task}", { params: { path: { task } }, ...json(call) }),
      ),
    activity: (task, call) =>
      answered(`GET /v1/tasks/${task}/activity`, call, () =>
        http.GET("/v1/tasks/{task}/activity", { params: { path: { task } }, ...json(call) }),
      ),
    rounds: async (task, { limit = 100, before, ...call } = {}) => {
      const query = { limit, ...(before === undefined ? {} : { before }) };
      const list = await answered(`GET /v1/tasks/${task}/rounds`, call, () =>
        http.GET("/v1/tasks/{task}/rounds", { params: { path: { task }, query }, ...json(call) }),
      );
      return list.rounds;
    },
    round: (roundId, call) =>
      answered(`GET /v1/rounds/${roundId}`, call, () =>
        http.GET("/v1/rounds/{roundId}", { params: { path: { roundId } }, ...json(call) }),
      ),
    refusals: async (roundId, call) =>
      (
        await answered(`GET /v1/rounds/${roundId}/refusals`, call, () =>
          http.GET("/v1/rounds/{roundId}/refusals", { params: { path: { roundId } }, ...json(call) }),
        )
      ).refusals,
    suspicions: async (task, call) =>
      (
        await answered(`GET /v1/tasks/${task}/suspicions`, call, () =>
          http.GET("/v1/tasks/{task}/suspicions", { params: { path: { task } }, ...json(call) }),
        )
      ).suspicions,
    buffer: async (task, call) =>
      (
        await answered(`GET /v1/tasks/${task}/buffer`, call, () =>
          http.GET("/v1/tasks/{task}/buffer", { params: { path: { task } }, ...json(call) }),
        )
      ).buffer,
    measurements: async (task, { limit = 100, ...call } = {}) =>
      (
        await answered(`GET /v1/tasks/${task}/measurements`, call, () =>
          http.GET("/v1/tasks/{task}/measurements", {
            params: { path: { task }, query: { limit } },
            ...json(call),
          }),
        )
      ).measurements,
    search: (query, { kind, limit = 50, cursor, ...call } = {}) =>
      answered("GET /v1/search", call, () =>
        http.GET("/v1/search", {
          params: {
            query: {
              query,
              limit,
              ...(kind === undefined ? {} : { kind }),
              ...(cursor === undefined ? {} : { cursor }),
            },
          },
          ...json(call),
        }),
      ),
    validateTask: async (document, call) =>
      (
        await answered("POST /v1/tasks/validation", call, () =>
          http.POST("/v1/tasks/validation", { body: document as TaskBody, ...json(call) }),
        )
      ).spec,
    estimateTask: (request, call) =>
      answered("POST /v1/tasks/estimate", call, () =>
        // As of tasks: the coordinator fills in what is left out.
        http.POST("/v1/tasks/estimate", { body: request as EstimateBody, ...json(call) }),
      ),
    estimate: (id, call) =>
      answered(`GET /v1/estimates/${id}`, call, () =>
        http.GET("/v1/estimates/{id}", { params: { path: { id } }, ...json(call) }),
      ),
    cancelEstimate: (id, call) =>
      answered(`DELETE /v1/estimates/${id}`, call, () =>
        http.DELETE("/v1/estimates/{id}", { params: { path: { id } }, ...json(call) }),
      ),
    drift: (task, { limit = 60, ...call } = {}) =>
      answered(`GET /v1/tasks/${task}/drift`, call, () =>
        http.GET("/v1/tasks/{task}/drift", { params: { path: { task }, query: { limit } }, ...json(call) }),
      ),
    privacy: (call) => answered("GET /v1/privacy", call, () => http.GET("/v1/privacy", { ...json(call) })),
    taskPrivacy: (task, call) =>
      answered(`GET /v1/tasks/${task}/privacy`, call, () =>
        http.GET("/v1/tasks/{task}/privacy", { params: { path: { task } }, ...json(call) }),
      ),
    compare: (of, call) =>
      answered("GET /v1/compare", call, () =>
        http.GET("/v1/compare", { params: { query: { of: [...of] } }, ...json(call) }),
      ),
    searchFields: async (call) =>
      (await answered("GET /v1/search/fields", call, () => http.GET("/v1/search/fields", { ...json(call) })))
        .fields,
    releaseVersion: (model, version, { channel = "stable", ...call } = {}) =>
      answered(`POST /v1/models/${model}/release`, call, () =>
        http.POST("/v1/models/{model}/release", {
          params: { path: { model } },
          body: { version, channel },
          ...json(call),
        }),
      ),
    channels: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/channels`, call, () =>
          http.GET("/v1/models/{model}/channels", { params: { path: { model } }, ...json(call) }),
        )
      ).channels,
    channelHistory: async (model, channel, call) =>
      (
        await answered(`GET /v1/models/${model}/channels/${channel}/history`, call, () =>
          http.GET("/v1/models/{model}/channels/{channel}/history", {
            params: { path: { model, channel }, query: { limit: 100 } },
            ...json(call),
          }),
        )
      ).history,
    removeChannel: async (model, channel, call) =>
      (
        await answered(`DELETE /v1/models/${model}/channels/${channel}`, call, () =>
          http.DELETE("/v1/models/{model}/channels/{channel}", {
            params: { path: { model, channel } },
            ...json(call),
          }),
        )
      ).channels,
    rollouts: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/rollouts`, call, () =>
          http.GET("/v1/models/{model}/rollouts", { params: { path: { model } }, ...json(call) }),
        )
      ).rollouts,
    rollout: (model, rollout, call) =>
      answered(`GET /v1/models/${model}/rollouts/${rollout}`, call, () =>
        http.GET("/v1/models/{model}/rollouts/{rollout}", {
          params: { path: { model, rollout } },
          ...json(call),
        }),
      ),
    startRollout: (model, spec, call) =>
      answered(`POST /v1/models/${model}/rollouts`, call, () =>
        // The document describes the filled-in rollout; the coordinator fills in what is left out.
        http.POST("/v1/models/{model}/rollouts", {
          params: { path: { model } },
          body: spec as RolloutBody,
          ...json(call),
        }),
      ),
    changeRollout: (model, rollout, change, call) =>
      answered(`POST /v1/models/${model}/rollouts/${rollout}/state`, call, () =>
        http.POST("/v1/models/{model}/rollouts/{rollout}/state", {
          params: { path: { model, rollout } },
          body: change,
          ...json(call),
        }),
      ),
    withdrawals: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/withdrawals`, call, () =>
          http.GET("/v1/models/{model}/withdrawals", { params: { path: { model } }, ...json(call) }),
        )
      ).withdrawals,
    withdrawVersion: (model, version, reason, call) =>
      answered(`POST /v1/models/${model}/versions/${version}/withdrawal`, call, () =>
        http.POST("/v1/models/{model}/versions/{version}/withdrawal", {
          params: { path: { model, version } },
          body: { reason },
          ...json(call),
        }),
      ),
    aliases: async (model, call) =>
      (
        await answered(`GET /v1/models/${model}/aliases`, call, () =>
          http.GET("/v1/models/{model}/aliases", { params: { path: { model } }, ...json(call) }),
        )
      ).aliases,
    moveAlias: (model, alias, version, call) =>
      answered(`PUT /v1/models/${model}/aliases/${alias}`, call, () =>
        http.PUT("/v1/models/{model}/aliases/{alias}", {
          params: { path: { model, alias } },
          body: { version },
          ...json(call),
        }),
      ),
    removeAlias: async (model, alias, call) =>
      (
        await answered(`DELETE /v1/models/${model}/aliases/${alias}`, call, () =>
          http.DELETE("/v1/models/{model}/aliases/{alias}", {
            params: { path: { model, alias } },
            ...json(call),
          }),
        )
      ).aliases,
    retention: (model, call) =>
      answered(`GET /v1/models/${model}/retention`, call, () =>
        http.GET("/v1/models/{model}/retention", { params: { path: { model } }, ...json(call) }),
      ),
    setRetention: (model, rule, call) =>
      answered(`PUT /v1/models/${model}/retention`, call, () =>
        http.PUT("/v1/models/{model}/retention", {
          params: { path: { model } },
          body: rule,
          ...json(call),
        }),
      ),
    releaseDevice: (task, device, call) =>
      answered(`DELETE /v1/tasks/${task}/suspicions/${device}`, call, () =>
        http.DELETE("/v1/tasks/{task}/suspicions/{device}", {
          params: { path: { task, device } },
          ...json(call),
        }),
      ),
    devices: (filter, call) =>
      answered("GET /v1/devices", call, () =>
        http.GET("/v1/devices", { params: { query: { limit: 100, ...filter } }, ...json(call) }),
      ),
    device: (device, call) =>
      answered(`GET /v1/devices/${device}`, call, () =>
        http.GET("/v1/devices/{device}", { params: { path: { device } }, ...json(call) }),
      ),
    revokeDevice: (device, reason, call) =>
      answered(`POST /v1/devices/${device}/revocation`, call, () =>
        http.POST("/v1/devices/{device}/revocation", {
          params: { path: { device } },
          body: { reason },
          ...json(call),
        }),
      ),
    readmitDevice: (device, call) =>
      answered(`DELETE /v1/devices/${device}/revocation`, call, () =>
        http.DELETE("/v1/devices/{device}/revocation", { params: { path: { device } }, ...json(call) }),
      ),
    fleet: ({ population, ...call } = {}) =>
      answered("GET /v1/fleet", call, () =>
        http.GET("/v1/fleet", {
          params: { query: population === undefined ? {} : { population } },
          ...json(call),
        }),
      ),
    fleetHistory: ({ model, population, hours = 168, ...call } = {}) => {
      const query = {
        hours,
        ...(model === undefined ? {} : { model }),
        ...(population === undefined ? {} : { population }),
      };
      return answered("GET /v1/fleet/history", call, () =>
        http.GET("/v1/fleet/history", { params: { query }, ...json(call) }),
      );
    },
    certificateLog: (call) =>
      answered("GET /v1/certificate-log", call, () => http.GET("/v1/certificate-log", { ...json(call) })),
    logEntries: ({ start, limit = 1000, ...call }) =>
      answered("GET /v1/certificate-log/entries", call, () =>
        http.GET("/v1/certificate-log/entries", { params: { query: { start, limit } }, ...json(call) }),
      ),
    audit: (filter, call) =>
      answered("GET /v1/audit", call, () =>
        http.GET("/v1/audit", { params: { query: { limit: 100, ...filter } }, ...json(call) }),
      ),
    auditRecords: async ({ start, limit = 1000, ...call }) =>
      (
        await answered("GET /v1/audit/records", call, () =>
          http.GET("/v1/audit/records", { params: { query: { start, limit } }, ...json(call) }),
        )
      ).records,
    keys: async (call) =>
      (await answered("GET /v1/keys", call, () => http.GET("/v1/keys", { ...json(call) }))).roles,
    publicKeys: async (role, call) =>
      (
        await answered(`GET /v1/keys/${role}/keys`, call, () =>
          http.GET("/v1/keys/{role}/keys", { params: { path: { role } }, ...json(call) }),
        )
      ).keys,
    setKeys: (role, change, call) =>
      answered(`PUT /v1/keys/${role}`, call, () =>
        http.PUT("/v1/keys/{role}", {
          params: { path: { role } },
          body: change as KeyRoleBody,
          ...json(call),
        }),
      ),
    rotateKey: (role, call) =>
      answered(`POST /v1/keys/${role}/rotation`, call, () =>
        http.POST("/v1/keys/{role}/rotation", { params: { path: { role } }, ...json(call) }),
      ),
    draft: (role, call) =>
      answered(`GET /v1/keys/${role}/draft`, call, () =>
        http.GET("/v1/keys/{role}/draft", { params: { path: { role } }, ...json(call) }),
      ),
    addSignatures: (role, file, call) =>
      answered(`POST /v1/keys/${role}/signatures`, call, () =>
        http.POST("/v1/keys/{role}/signatures", {
          params: { path: { role } },
          body: { file },
          ...json(call),
        }),
      ),
    publishModel: (model, onnx, { release, runtime, importedFrom, ...call } = {}) => {
      const query = {
        ...(release === undefined ? {} : { release }),
        ...(runtime === undefined ? {} : { runtime }),
        ...(importedFrom === undefined ? {} : { importedFrom }),
      };
      return answered(`POST /v1/models/${model}/versions`, call, () =>
        http.POST("/v1/models/{model}/versions", {
          params: { path: { model }, query },
          ...octets(onnx, call),
        }),
      );
    },
    uploadBlob: (bytes, call) =>
      answered("POST /v1/blobs", call, () => http.POST("/v1/blobs", { ...octets(bytes, call) })),
    createTask: (spec, call) =>
      answered("POST /v1/tasks", call, () =>
        // The document describes the filled-in task; the coordinator fills in what is left out.
        http.POST("/v1/tasks", { body: spec as TaskBody, ...json(call) }),
      ),
    setTaskState: (task, change, call) =>
      answered(`POST /v1/tasks/${task}/state`, call, () =>
        http.POST("/v1/tasks/{task}/state", { params: { path: { task } }, body: change, ...json(call) }),
      ),
    resetTask: (task, version, call) =>
      answered(`POST /v1/tasks/${task}/head`, call, () =>
        http.POST("/v1/tasks/{task}/head", {
          params: { path: { task } },
          body: { version },
          ...json(call),
        }),
      ),
  };
}

function httpClient({ baseUrl, token, csrfToken, fetch }: ApiClientOptions): Client<paths> {
  return createFetchClient<paths>({
    baseUrl: new URL(baseUrl).href,
    ...(fetch === undefined ? {} : { fetch }),
    headers: {
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      ...(csrfToken === undefined ? {} : { "Tributary-Csrf": csrfToken }),
    },
  });
}

function json(call: CallOptions | undefined) {
  return { headers: { Accept: "application/json" }, signal: call?.signal ?? null };
}

/** A body of bytes, as they are. */
function octets(bytes: Uint8Array, call: CallOptions | undefined) {
  return {
    body: bytes,
    bodySerializer: (body: unknown): BodyInit => body as Uint8Array<ArrayBuffer>,
    headers: { "Content-Type": "application/octet-stream", Accept: "application/json" },
    signal: call?.signal ?? null,
  };
}

async function answered<Data>(
  request: string,
  call: CallOptions | undefined,
  send: () => Promise<Result<Data>>,
): Promise<Data> {
  let result: Result<Data>;
  try {
    result = await send();
  } catch (thrown) {
    // An answer that is no JSON, where JSON was promised, is a SyntaxError of the parser.
    if (thrown instanceof SyntaxError) throw notJson(request, thrown);
    throw errorFromThrown(request, thrown, call?.signal);
  }
  const { data, error, response } = result;
  if (response.ok && typeof data === "object" && data !== null) return data;
  throw errorFromBody(request, response, error);
}
