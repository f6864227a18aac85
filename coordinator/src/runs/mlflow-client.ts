import { failure } from "@tributary/core";

/** A tracking server, and who asks. */
export interface MlflowConfig {
  /** `http://127.0.0.1:5000`; a path in front of MLflow's API stays. */
  readonly trackingUri: string;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string;
  readonly username?: string;
  readonly password?: string;
}

/** By MLflow's own variables; undefined where none names a server. */
export function mlflowOfEnvironment(env: NodeJS.ProcessEnv): MlflowConfig | undefined {
  const { MLFLOW_TRACKING_URI: trackingUri = "" } = env;
  if (trackingUri === "") return undefined;
  const { MLFLOW_TRACKING_TOKEN: token = "", MLFLOW_TRACKING_USERNAME: username = "" } = env;
  if (token !== "") return { trackingUri, token };
  if (username === "") return { trackingUri };
  return { trackingUri, username, password: env["MLFLOW_TRACKING_PASSWORD"] ?? "" };
}

/** What must stand in no log. */
export function mlflowSecrets(config: MlflowConfig | undefined): string[] {
  return [config?.token, config?.password].filter(
    (secret) => secret !== undefined && secret !== "",
  ) as string[];
}

export const RUN_STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

export interface MetricPoint {
  readonly key: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly step: number;
}

/** As the server shows it. */
export interface MlflowRun {
  readonly info: { readonly run_id: string; readonly status: RunStatus };
  readonly data: {
    /** The newest point of each. */
    readonly metrics?: readonly MetricPoint[];
    readonly tags?: readonly KeyValue[];
  };
}

/** What is used of MLflow's REST API, version 2.0. */
export interface MlflowClient {
  /** Of this name; made where there is none. */
  experiment(name: string): Promise<string>;
  /** The run with this tag, if there is one that was not deleted. */
  runWithTag(experimentId: string, tag: KeyValue): Promise<MlflowRun | undefined>;
  createRun(run: {
    readonly experimentId: string;
    readonly name: string;
    readonly startTime: number;
    readonly tags: readonly KeyValue[];
  }): Promise<MlflowRun>;
  /** At most 1,000 points, 100 parameters and 100 tags, and 1,000 of all. */
  logBatch(
    runId: string,
    batch: {
      readonly metrics?: readonly MetricPoint[];
      readonly params?: readonly KeyValue[];
      readonly tags?: readonly KeyValue[];
    },
  ): Promise<void>;
  setStatus(runId: string, status: RunStatus, endTime: number | null): Promise<void>;
}

const TIMEOUT_MS = 30_000;
/** Of an answer: a run with all its parameters is far smaller. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/** @throws from each call: `coordinator/tracker-refused` with MLflow's own code, `coordinator/tracker-unreachable` */
export function createMlflowClient({ trackingUri, ...auth }: MlflowConfig): MlflowClient {
  const base = `${trackingUri.replace(/\/+$/, "")}/api/2.0/mlflow/`;
  const headers = {
    accept: "application/json",
    "content-type": "application/json",
    ...authorizationOf(auth),
  };

  const call = async <T>(method: "GET" | "POST", path: string, body?: unknown): Promise<T> => {
    let response: Response;
    let text: string;
    try {
      response = await fetch(base + path, {
        method,
        headers,
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MS),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (Number(response.headers.get("content-length") ?? 0) > MAX_ANSWER_BYTES)
        throw new RangeError(`an answer of more than ${MAX_ANSWER_BYTES} bytes`);
      text = await response.text();
    } catch (cause) {
      throw failure("coordinator/tracker-unreachable", `runs: no answer of MLflow to ${path}`, {
        detail: { path: pathOnly(path) },
        cause,
      });
    }
    if (response.ok) return (text === "" ? {} : JSON.parse(text)) as T;
    throw failure(
      "coordinator/tracker-refused",
      `runs: MLflow answered ${pathOnly(path)} with ${response.status}; check MLFLOW_TRACKING_URI, and the token or user`,
      { detail: { status: response.status, path: pathOnly(path), problem: problemOf(text) } },
    );
  };

  return {
    async experiment(name) {
      const query = `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`;
      try {
        const { experiment } = await call<{ experiment: { experiment_id: string } }>("GET", query);
        return experiment.experiment_id;
      } catch (error) {
        if (!isProblem(error, "RESOURCE_DOES_NOT_EXIST")) throw error;
      }
      const { experiment_id } = await call<{ experiment_id: string }>("POST", "experiments/create", { name });
      return experiment_id;
    },
    async runWithTag(experimentId, { key, value }) {
      const { runs = [] } = await call<{ runs?: MlflowRun[] }>("POST", "runs/search", {
        experiment_ids: [experimentId],
        filter: `tags.\`${key}\` = '${value.replaceAll("'", "")}'`,
        run_view_type: "ACTIVE_ONLY",
        max_results: 1,
      });
      return runs[0];
    },
    async createRun({ experimentId, name, startTime, tags }) {
      const { run } = await call<{ run: MlflowRun }>("POST", "runs/create", {
        experiment_id: experimentId,
        run_name: name,
        start_time: startTime,
        tags,
      });
      return run;
    },
    logBatch: (runId, batch) => call("POST", "runs/log-batch", { run_id: runId, ...batch }),
    setStatus: (runId, status, endTime) =>
      call("POST", "runs/update", {
        run_id: runId,
        status,
        ...(endTime === null ? {} : { end_time: endTime }),
      }),
  };
}

function authorizationOf({ token, username, password = "" }: Omit<MlflowConfig, "trackingUri">) {
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  if (username === undefined) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}

function pathOnly(path: string): string {
  return path.split("?", 1)[0]!;
}

/** MLflow's code of an error, such as `INVALID_PARAMETER_VALUE`. */
function problemOf(text: string): string {
  try {
    const { error_code } = JSON.parse(text) as { error_code?: unknown };
    if (typeof error_code === "string") return error_code.slice(0, 100);
  } catch {
    // A proxy's page.
  }
  return "unknown";
}

function isProblem(error: unknown, code: string): boolean {
  const { detail } = error as { detail?: Readonly<Record<string, unknown>> };
  return detail?.["problem"] === code;
}
