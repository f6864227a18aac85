import { resolve } from "node:path";
import { createApiClient } from "@tributary/api-client";
import {
  createMlflowClient,
  mlflowOfEnvironment,
  mlflowRuns,
  tensorboardRuns,
  type RunSource,
} from "@tributary/coordinator";
import { failure, TributaryError } from "@tributary/core";
import { Option, type Command } from "commander";
import { examples } from "../examples.ts";
import { dataDirOption, operatorTokenIfAny, urlOption, type OperatorOptions } from "../operator.ts";

const FORMATS = ["tensorboard", "mlflow"] as const;

interface Options extends OperatorOptions {
  readonly format: (typeof FORMATS)[number];
  readonly out?: string;
  readonly json?: boolean;
}

/** `tributary task export NAME --format tensorboard --out DIR`: a task's rounds for a tracker of experiments. */
export function addTaskExportCommand(command: Command): void {
  command
    .command("export")
    .description(
      "Write the rounds of a task for TensorBoard, or push them to an MLflow tracking server. What is there already stays: the same again adds what is new.",
    )
    .argument("<name...>", "the tasks")
    .addOption(new Option("--format <format>", "for whom").choices(FORMATS).default("tensorboard"))
    .option("--out <dir>", "tensorboard: the folder to write to; each task has one of its own in it")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `${examples(
        "tributary task export digits --out runs",
        "MLFLOW_TRACKING_URI=http://127.0.0.1:5000 tributary task export digits --format mlflow",
      )}
MLflow's own variables say where and who: MLFLOW_TRACKING_URI, and MLFLOW_TRACKING_TOKEN or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.`,
    )
    .action(exportTasks);
}

async function exportTasks(names: readonly string[], options: Options): Promise<void> {
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
    console.log(rounds === 0 ? `${task}: nothing new for ${where}` : `${task}: ${rounds} rounds to ${where}`);
}

/** @throws cli/usage */
function trackerOf(
  source: RunSource,
  { format, out, url }: Options,
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
  const api = createApiClient({ baseUrl: options.url, token: operatorTokenIfAny(options) });
  return {
    tasks: async () => (await api.tasks()).map(({ name }) => name),
    task: (name) => orUndefined(api.task(name)),
    rounds: (task, page) => api.rounds(task, page),
    measurements: (task, page) => api.measurements(task, page),
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
