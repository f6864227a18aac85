import type { Client } from "openapi-fetch";
import { answered, json, type CallOptions } from "./calling.ts";
import type { paths } from "./generated/api.ts";
import { pageQuery, type PageOptions } from "./pages.ts";
import type {
  BufferView,
  DriftHistory,
  EstimateInput,
  EstimateView,
  MeasurementPage,
  SuspicionView,
  TaskActivityView,
  TaskPrivacy,
  TaskResetView,
  TaskSpec,
  TaskSpecInput,
  TaskStateChange,
  TaskView,
} from "./views.ts";

/** What devices are asked to do. */
export interface TasksApi {
  tasks(options?: CallOptions): Promise<readonly TaskView[]>;
  task(name: string, options?: CallOptions): Promise<TaskView>;
  /** What the task waits for. */
  activity(task: string, options?: CallOptions): Promise<TaskActivityView>;
  /** What the devices of a task measured, round by round, newest first. */
  measurements(task: string, options?: PageOptions): Promise<MeasurementPage>;
  /** How what devices of a task tell of their data moved away from its reference, newest first. */
  drift(task: string, options?: PageOptions): Promise<DriftHistory>;
  /** How full the buffer of a task in buffered mode is; null where its rounds are synchronous. */
  buffer(task: string, options?: CallOptions): Promise<BufferView | null>;
  /** Devices in secure cohorts of a task whose sums failed: the quarantined, then the most suspected. */
  suspicions(task: string, options?: CallOptions): Promise<readonly SuspicionView[]>;
  /** Lets a device take part again, and suspects it no more. */
  releaseDevice(task: string, device: string, options?: CallOptions): Promise<SuspicionView>;
  /** What the rounds of a task hid, and what they did not. */
  taskPrivacy(task: string, options?: CallOptions): Promise<TaskPrivacy>;
  /** A task's document as its creation would read it; nothing is created. */
  validateTask(document: unknown, options?: CallOptions): Promise<TaskSpec>;
  /** Begins to simulate a task that does not run yet: read the estimate by its id. */
  estimateTask(request: EstimateInput, options?: CallOptions): Promise<EstimateView>;
  estimate(id: string, options?: CallOptions): Promise<EstimateView>;
  cancelEstimate(id: string, options?: CallOptions): Promise<EstimateView>;
  /** Creates a task and starts it. */
  createTask(spec: TaskSpecInput, options?: CallOptions): Promise<TaskView>;
  setTaskState(task: string, change: TaskStateChange, options?: CallOptions): Promise<TaskView>;
  /** Lets a task that does not run go on from another version of its model, with what its server optimizer remembered then. */
  resetTask(task: string, version: number, options?: CallOptions): Promise<TaskResetView>;
}

/** As openapi-fetch takes it: what has a default is not optional, and lists are not readonly. */
type TaskBody = paths["/v1/tasks"]["post"]["requestBody"]["content"]["application/json"];

type EstimateBody = NonNullable<
  paths["/v1/tasks/estimate"]["post"]["requestBody"]
>["content"]["application/json"];

export function tasksApi(http: Client<paths>): TasksApi {
  return {
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
    measurements: (task, options = {}) =>
      answered(`GET /v1/tasks/${task}/measurements`, options, () =>
        http.GET("/v1/tasks/{task}/measurements", {
          params: { path: { task }, query: pageQuery(options, 100) },
          ...json(options),
        }),
      ),
    drift: (task, options = {}) =>
      answered(`GET /v1/tasks/${task}/drift`, options, () =>
        http.GET("/v1/tasks/{task}/drift", {
          params: { path: { task }, query: pageQuery(options, 60) },
          ...json(options),
        }),
      ),
    buffer: async (task, call) =>
      (
        await answered(`GET /v1/tasks/${task}/buffer`, call, () =>
          http.GET("/v1/tasks/{task}/buffer", { params: { path: { task } }, ...json(call) }),
        )
      ).buffer,
    suspicions: async (task, call) =>
      (
        await answered(`GET /v1/tasks/${task}/suspicions`, call, () =>
          http.GET("/v1/tasks/{task}/suspicions", { params: { path: { task } }, ...json(call) }),
        )
      ).suspicions,
    releaseDevice: (task, device, call) =>
      answered(`DELETE /v1/tasks/${task}/suspicions/${device}`, call, () =>
        http.DELETE("/v1/tasks/{task}/suspicions/{device}", {
          params: { path: { task, device } },
          ...json(call),
        }),
      ),
    taskPrivacy: (task, call) =>
      answered(`GET /v1/tasks/${task}/privacy`, call, () =>
        http.GET("/v1/tasks/{task}/privacy", { params: { path: { task } }, ...json(call) }),
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
