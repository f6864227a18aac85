import { errorFromBody, errorFromThrown } from "./http-error.ts";
import type { ModelView, RoundView, StatusView, TaskView, VersionView } from "./views.ts";

export interface ApiClientOptions {
  /** Where the coordinator is, e.g. `http://127.0.0.1:7700`. */
  readonly baseUrl: string | URL;
  /** Operator token; only writes need one. */
  readonly token?: string | undefined;
  readonly fetch?: typeof globalThis.fetch;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The HTTP API, one method a route. Every method rejects with a `TributaryError`, or with the signal's reason. */
export interface ApiClient {
  status(options?: CallOptions): Promise<StatusView>;
  tasks(options?: CallOptions): Promise<readonly TaskView[]>;
  models(options?: CallOptions): Promise<readonly ModelView[]>;
  versions(model: string, options?: CallOptions): Promise<readonly VersionView[]>;
  rounds(
    task: string,
    options?: CallOptions & { readonly limit?: number; readonly before?: number },
  ): Promise<readonly RoundView[]>;
}

export function createApiClient(options: ApiClientOptions): ApiClient {
  const send = options.fetch ?? globalThis.fetch;
  async function get<T>(path: string, call?: CallOptions): Promise<T> {
    const request = `GET /${path}`;
    let response: Response;
    let body: unknown;
    try {
      response = await send(new URL(path, options.baseUrl), { signal: call?.signal ?? null });
      body = await response.json().catch(() => undefined);
    } catch (thrown) {
      throw errorFromThrown(request, thrown, call?.signal);
    }
    if (!response.ok || body === undefined) throw errorFromBody(request, response, body);
    return body as T;
  }
  return {
    status: (call) => get("v1/status", call),
    tasks: async (call) => (await get<{ tasks: TaskView[] }>("v1/tasks", call)).tasks,
    models: async (call) => (await get<{ models: ModelView[] }>("v1/models", call)).models,
    versions: async (model, call) =>
      (await get<{ versions: VersionView[] }>(`v1/models/${encodeURIComponent(model)}/versions`, call))
        .versions,
    rounds: async (task, call) => {
      const query = new URLSearchParams();
      if (call?.limit !== undefined) query.set("limit", String(call.limit));
      if (call?.before !== undefined) query.set("before", String(call.before));
      return (
        await get<{ rounds: RoundView[] }>(
          `v1/tasks/${encodeURIComponent(task)}/rounds?${query.toString()}`,
          call,
        )
      ).rounds;
    },
  };
}
