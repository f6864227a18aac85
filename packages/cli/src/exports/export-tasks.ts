import { resolve } from "node:path";
import { cursorBefore } from "@tributary/api-client";
import {
  createMlflowClient,
  mlflowOfEnvironment,
  mlflowRuns,
  tensorboardRuns,
  type RunSource,
} from "@tributary/coordinator";
import { failure, TributaryError } from "@tributary/core";
import { readerApi, type OperatorOptions } from "../operator.ts";

export interface TaskExportOptions extends OperatorOptions {
  readonly format: "tensorboard" | "mlflow";
  /** tensorboard: the folder. */
  readonly out?: string;
  readonly json?: boolean;
}

/** Writes the rounds of tasks for a tracker of experiments. @throws `cli/usage`, `coordinator/unknown-task`, as the tracker does */
export async function exportTasks(names: readonly string[], options: TaskExportOptions): Promise<void> {
  const { url, format, json } = options;
  const source = servedRuns(options);
  const [tell, where] = trackerOf(source, options);
  const tasks: { task: string; rounds: number }[] = [];
  for (const task of names) {
    if ((await source.task(task)) === undefined)
      throw failure("coordinator/unknown-task", `no task "${task}" on ${url}`, { detail: { task } });
    tasks.push({ task, rounds: await tell(task) });
  }
  if (json === true) return console.log(JSON.stringify({ format, where, tasks }));
  for (const { task, rounds } of tasks)
    console.log(
      rounds === 0
        ? `${task}: nothing new for ${where}`
        : `${task}: ${rounds} ${rounds === 1 ? "round" : "rounds"} to ${where}`,
    );
}

/** @throws cli/usage */
function trackerOf(
  source: RunSource,
  { format, out, url }: TaskExportOptions,
): readonly [(task: string) => Promise<number>, string] {
  if (format === "tensorboard") {
    if (out === undefined)
      throw failure("cli/usage", "--out: expected the folder that TensorBoard reads, got nothing");
    const runs = tensorboardRuns(resolve(out), source);
    return [(task) => runs.write(task), resolve(out)];
  }
  const config = mlflowOfEnvironment(process.env);
  if (config === undefined)
    throw failure(
      "cli/usage",
      "--format mlflow: expected the tracking server in MLFLOW_TRACKING_URI, got nothing; set it, such as to http://127.0.0.1:5000",
    );
  const runs = mlflowRuns({ client: createMlflowClient(config), source, url: () => url.replace(/\/$/, "") });
  return [(task) => runs.push(task), config.trackingUri];
}

/** What a coordinator shows of its tasks. */
function servedRuns(options: OperatorOptions): RunSource {
  const api = readerApi(options);
  return {
    tasks: async () => (await api.tasks()).map(({ name }) => name),
    task: (name) => orUndefined(api.task(name)),
    rounds: async (task, { limit, before }) =>
      (await api.rounds(task, { limit, ...(before !== undefined && { cursor: cursorBefore(before) }) }))
        .rounds,
    measurements: async (task, page) => (await api.measurements(task, page)).measurements,
    version: (model, version) => orUndefined(api.version(model, version)),
  };
}

async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (TributaryError.is(error) && error.code.startsWith("coordinator/unknown-")) return undefined;
    throw error;
  }
}
