import createFetchClient, { type Client } from "openapi-fetch";
import { accessApi, type AccessApi } from "./access-api.ts";
import { alertsApi, type AlertsApi } from "./alerts-api.ts";
import { auditApi, type AuditApi } from "./audit-api.ts";
import { answered, json, type CallOptions } from "./calling.ts";
import { fleetApi, type FleetApi } from "./fleet-api.ts";
import type { paths } from "./generated/api.ts";
import { keysApi, type KeysApi } from "./keys-api.ts";
import { modelsApi, type ModelsApi } from "./models-api.ts";
import { notifyApi, type NotifyApi } from "./notify-api.ts";
import { policiesApi, type PoliciesApi } from "./policies-api.ts";
import { releasesApi, type ReleasesApi } from "./releases-api.ts";
import { roundsApi, type RoundsApi } from "./rounds-api.ts";
import { searchApi, type SearchApi } from "./search-api.ts";
import { tasksApi, type TasksApi } from "./tasks-api.ts";
import type { StatusView } from "./views.ts";

export interface ApiClientOptions {
  /** Where the coordinator is, e.g. `http://127.0.0.1:7700`. */
  readonly baseUrl: string | URL;
  /** An operator's token; a page that signed in has its cookie instead. */
  readonly token?: string | undefined;
  /** What a page that signed in sends with what it changes, of its session. */
  readonly csrfToken?: string | undefined;
  readonly fetch?: typeof globalThis.fetch;
}

/**
 * The operators' side of the HTTP API, one method a route. Every method rejects with a `TributaryError`: the
 * coordinator's own, `transport/connect-failed` when nobody answers, `http/unexpected-response` when something else
 * does; or with the signal's reason.
 */
export interface ApiClient
  extends
    AccessApi,
    AlertsApi,
    AuditApi,
    FleetApi,
    KeysApi,
    ModelsApi,
    NotifyApi,
    PoliciesApi,
    ReleasesApi,
    RoundsApi,
    SearchApi,
    TasksApi {
  status(options?: CallOptions): Promise<StatusView>;
}

/** The typed client of a coordinator, for browsers and Node. */
export function createApiClient(options: ApiClientOptions): ApiClient {
  const http = httpClient(options);
  return {
    ...accessApi(http),
    ...alertsApi(http),
    ...auditApi(http),
    ...fleetApi(http),
    ...keysApi(http),
    ...modelsApi(http),
    ...notifyApi(http),
    ...policiesApi(http),
    ...releasesApi(http),
    ...roundsApi(http),
    ...searchApi(http),
    ...tasksApi(http),
    status: (call) => answered("GET /v1/status", call, () => http.GET("/v1/status", { ...json(call) })),
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
