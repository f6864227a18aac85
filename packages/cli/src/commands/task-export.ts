import { Option, type Command } from "commander";
import { examples } from "../examples.ts";
import type { TaskExportOptions } from "../exports/export-tasks.ts";
import { dataDirOption, urlOption } from "../operator.ts";

const FORMATS = ["tensorboard", "mlflow"] as const satisfies readonly TaskExportOptions["format"][];

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
    .action(async (names: readonly string[], options: TaskExportOptions) => {
      // With what writes the formats comes the whole coordinator: a second for each of the other commands.
      const { exportTasks } = await import("../exports/export-tasks.ts");
      await exportTasks(names, options);
    });
}
