import { errorFromBody, errorFromThrown } from "./http-error.ts";
import type { ModelView, RoundView, StatusView, TaskSpec, TaskView, VersionView } from "./views.ts";

export interface ApiClientOptions {
  /** Where the coordinator is, e.g. `http://127.0.0.1:7700`. */
  readonly baseUrl: string | URL;
  /** Operator token; only writes need one. */
  readonly token?: string | undefined;
  readonly fetch?: typeof globalThis.fetch;
}

interface Content {
  readonly type: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
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
  /** Publishes an ONNX file: version 1 of a new model. Needs the operator token, as all that follow do. */
  publishModel(model: string, onnx: Uint8Array, options?: CallOptions): Promise<VersionView>;
  /** Stores bytes under their SHA-256, such as a held-out data set. */
  uploadBlob(
    bytes: Uint8Array,
    options?: CallOptions,
  ): Promise<{ readonly digest: string; readonly sizeBytes: number }>;
  createTask(spec: TaskSpec, options?: CallOptions): Promise<TaskView>;
  /** Pauses a task or lets it go on; `moreRounds` sets its end that many committed rounds from now. */
  setTaskState(
    task: string,
    change: { readonly state: "running" | "paused"; readonly moreRounds?: number },
    options?: CallOptions,
  ): Promise<TaskView>;
}

export function createApiClient(options: ApiClientOptions): ApiClient {
  const send = options.fetch ?? globalThis.fetch;
  async function exchange<T>(
    method: string,
    path: string,
    call?: CallOptions,
    content?: Content,
  ): Promise<T> {
    const request = `${method} /${path}`;
    const headers: Record<string, string> = content === undefined ? {} : { "content-type": content.type };
    if (method !== "GET" && options.token !== undefined) headers.authorization = `Bearer ${options.token}`;
    let response: Response;
    let body: unknown;
    try {
      response = await send(new URL(path, options.baseUrl), {
        method,
        headers,
        body: content?.body ?? null,
        signal: call?.signal ?? null,
      });
      body = await response.json().catch(() => undefined);
    } catch (thrown) {
      throw errorFromThrown(request, thrown, call?.signal);
    }
    if (!response.ok || body === undefined) throw errorFromBody(request, response, body);
    return body as T;
  }
  const get = <T>(path: string, call?: CallOptions): Promise<T> => exchange("GET", path, call);
  const json = (value: unknown): Content => ({ type: "application/json", body: JSON.stringify(value) });
  const octets = (bytes: Uint8Array): Content => ({
    type: "application/octet-stream",
    body: Uint8Array.from(bytes),
  });
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
    publishModel: (model, onnx, call) =>
      exchange("POST", `v1/models/${encodeURIComponent(model)}/versions`, call, octets(onnx)),
    uploadBlob: (bytes, call) => exchange("POST", "v1/blobs", call, octets(bytes)),
    createTask: (spec, call) => exchange("POST", "v1/tasks", call, json(spec)),
    setTaskState: (task, change, call) =>
      exchange("POST", `v1/tasks/${encodeURIComponent(task)}/state`, call, json(change)),
  };
}
