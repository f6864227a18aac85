import type { TaskResetView, TaskView } from "@tributary/api-client";
import { parseTaskSpec } from "@tributary/protocol";
import { Command, Option } from "commander";
import { counted } from "../counted.ts";
import { integerBetween } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { bufferLines } from "./buffer-lines.ts";
import { addTaskExportCommand } from "./task-export.ts";
import { addEstimateCommand } from "./task-estimate.ts";
import { addDocumentCommands } from "./task-document.ts";
import { addWatchCommand } from "./task-watch.ts";
import { measurementLines, verdictLine } from "./results.ts";
import { withUpdate, withUpdateOptions, type UpdateOptions } from "./update-options.ts";
import { dataDirOption, operatorApi, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { printNext, withPaging, type Paging } from "../paging.ts";
import { readInput } from "../read-input.ts";
import { parseTaskDocument } from "../task-document.ts";
import { everyRefusal } from "../rounds/every-refusal.ts";
import { taskLines, trustLine } from "../task-lines.ts";
import { PRIVATE_COHORT } from "../start/digits-task.ts";
import { formatNumber, formatPercent } from "../start/format.ts";
import { examples } from "../examples.ts";

interface CreateOptions extends OperatorOptions, UpdateOptions {
  readonly heldOut?: string;
  readonly trusted?: string;
  readonly reference?: string;
  readonly json?: boolean;
}

interface ResetOptions extends OperatorOptions {
  readonly to: number;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const OPTIMIZER_WORDS = {
  restored: "its server optimizer remembers what it did then",
  stateless: "its server optimizer remembers nothing",
  anew: "its server optimizer begins anew, what it remembered then is not known",
} as const satisfies Record<TaskResetView["optimizer"], string>;

/** `tributary task create|validate|schema|list|show|watch|pause|resume|reset|buffer|refusals|results|suspicions|release|export`. */
export function taskCommand(): Command {
  const command = new Command("task").description(
    "Check and create federated tasks, list and watch them, pause and resume them, go back to an earlier version, see what was measured and what was refused, and who is suspected.",
  );
  const withOperator = (sub: Command): Command => sub.addOption(urlOption()).addOption(dataDirOption());

  withUpdateOptions(withOperator(command.command("create")))
    .description(
      "Create a task from its JSON document and start its rounds. Updates are summed under masks unless it opts out.",
    )
    .argument("<file>", "the task document (JSON)")
    .option(
      "--held-out <file>",
      "safetensors file to measure each version on: a tensor for each input of the model, and `labels` (or `labels.<output>`)",
    )
    .option(
      "--trusted <file>",
      "with flTrust, safetensors file of the same form that the coordinator trains on itself, to compare updates with",
    )
    .option(
      "--reference <file>",
      "of telemetry, safetensors file of the same form that stands for what the model was trained on: drift is measured against it",
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary task create task.json --held-out test.safetensors"))
    .action(async (file: string, options: CreateOptions) => {
      const api = operatorApi(options);
      const document = withUpdate(parseTaskDocument(file, await readInput(file)), options);
      if (options.heldOut !== undefined) {
        const { digest } = await api.uploadBlob(await readInput(options.heldOut));
        document.evaluation = { ...document.evaluation, dataset: digest };
      }
      if (options.trusted !== undefined) {
        const { digest } = await api.uploadBlob(await readInput(options.trusted));
        document.strategy = { ...document.strategy, trustedDataset: digest };
      }
      if (options.reference !== undefined) {
        const { digest } = await api.uploadBlob(await readInput(options.reference));
        document.reference = digest;
      }
      print(await api.createTask(parseTaskSpec(document)), options.json);
    });

  addDocumentCommands(command);
  addTaskExportCommand(command);
  addEstimateCommand(command);

  withOperator(command.command("list"))
    .description("List tasks with their state.")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary task list"))
    .action(async (options: OperatorOptions & { readonly json?: boolean }) => {
      const tasks = await readerApi(options).tasks();
      if (options.json === true) return console.log(JSON.stringify({ tasks }));
      for (const task of tasks) print(task, false);
      if (tasks.length === 0) console.log("no tasks");
    });

  withOperator(command.command("show"))
    .description("What a task does: why it stopped, when its next round may begin, and who could be in it.")
    .argument("<name>", "the task")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary task show digits"))
    .action(async (name: string, options: OperatorOptions & { readonly json?: boolean }) => {
      const api = readerApi(options);
      const task = await api.task(name);
      const activity = await api.activity(name);
      if (options.json === true) return console.log(JSON.stringify({ ...task, activity }));
      print(task, false);
      for (const line of taskLines(task, activity)) console.log(`  ${line}`);
      if (task.spec.strategy.trustedDataset === undefined) return;
      const current = await api.version(task.model, task.currentVersion);
      if (current.trust !== null) console.log(`  ${trustLine(current.trust)}`);
    });

  addWatchCommand(command);

  withOperator(command.command("pause"))
    .description(
      "Begin no further round of a task. The running one is abandoned, unless it is aggregating: then it is committed first.",
    )
    .argument("<name>", "the task")
    .addHelpText("after", examples("tributary task pause digits"))
    .action(async (name: string, options: OperatorOptions) =>
      print(await operatorApi(options).setTaskState(name, { state: "paused" }), false),
    );

  withOperator(command.command("resume"))
    .description("Go on with a paused or finished task.")
    .argument("<name>", "the task")
    .addOption(new Option("--rounds <n>", "this many more rounds").argParser(integerBetween(1, 1_000_000)))
    .addHelpText("after", examples("tributary task resume digits --rounds 10"))
    .action(async (name: string, options: OperatorOptions & { readonly rounds?: number }) => {
      const change = {
        state: "running" as const,
        ...(options.rounds === undefined ? {} : { moreRounds: options.rounds }),
      };
      print(await operatorApi(options).setTaskState(name, change), false);
    });

  withOperator(command.command("reset"))
    .description(
      "Let a paused task go on from an earlier version of its model, with what its server optimizer remembered after it: the next version grows out of that one.",
    )
    .argument("<name>", "the task")
    .requiredOption("--to <version>", "the version", integerBetween(1, Number.MAX_SAFE_INTEGER))
    .option("--yes", "do not ask")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  tributary task pause digits && tributary task reset digits --to 12
  tributary task reset digits --to 12 --yes && tributary task resume digits`,
    )
    .action(async (name: string, options: ResetOptions) => {
      const api = operatorApi(options);
      const { model, currentVersion } = await api.task(name);
      await confirm(
        `Training of ${model} goes on from version ${options.to} instead of ${currentVersion}; sums that wait in a buffer and versions that wait for a gate are dropped.`,
        options,
      );
      const reset = await api.resetTask(name, options.to);
      if (options.json === true) return console.log(JSON.stringify(reset));
      console.log(
        `${name} goes on from version ${options.to} instead of ${reset.from}: ${OPTIMIZER_WORDS[reset.optimizer]}; tributary task resume ${name} lets it run`,
      );
    });

  withOperator(command.command("refusals"))
    .description("List the updates of a round that did not count: who sent them, and why.")
    .argument("<round>", "the round's id, such as digits-12")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary task refusals digits-12"))
    .action(async (round: string, options: OperatorOptions & { readonly json?: boolean }) => {
      const refusals = await everyRefusal(readerApi(options), round);
      if (options.json === true) return console.log(JSON.stringify({ refusals }));
      for (const { at, device, code, detail } of refusals)
        console.log(`${at}  ${device}  ${code}  ${JSON.stringify(detail)}`);
      if (refusals.length === 0) console.log(`no update of ${round} was refused`);
    });

  withOperator(command.command("buffer"))
    .description(
      "Show how full the buffer of a task in buffered mode is, and which cohorts made which version.",
    )
    .argument("<name>", "the task")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary task buffer digits"))
    .action(async (name: string, options: OperatorOptions & { readonly json?: boolean }) => {
      const buffer = await readerApi(options).buffer(name);
      if (options.json === true) return console.log(JSON.stringify({ buffer }));
      for (const line of bufferLines(name, buffer)) console.log(line);
    });
  withPaging(withOperator(command.command("results")), { most: 500, standard: 20 })
    .description(
      "Show what the devices of a task measured, round by round: versions on their examples, how versions run there, and what its gate found.",
    )
    .argument("<name>", "the task")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary task results how-it-runs --limit 5"))
    .action(
      async (
        name: string,
        { json, limit, cursor, ...options }: OperatorOptions & Paging & { readonly json?: boolean },
      ) => {
        const { measurements, next } = await readerApi(options).measurements(name, { limit, cursor });
        if (json === true) return console.log(JSON.stringify({ measurements, next }));
        for (const measurement of measurements.toReversed()) {
          for (const line of measurementLines(measurement)) console.log(line);
        }
        if (measurements.length === 0) console.log(`no device of ${name} has measured anything yet`);
        printNext(next);
      },
    );

  withOperator(command.command("suspicions"))
    .description(
      "List the devices in secure cohorts whose sums failed, or whose own updates were refused: who is quarantined, and who only suspected.",
    )
    .argument("<name>", "the task")
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary task suspicions digits"))
    .action(async (name: string, options: OperatorOptions & { readonly json?: boolean }) => {
      const suspicions = await readerApi(options).suspicions(name);
      if (options.json === true) return console.log(JSON.stringify({ suspicions }));
      for (const { at, device, state, points, roundId } of suspicions)
        console.log(`${at}  ${device}  ${state}  ${counted(points, "failure")}, last ${roundId}`);
      if (suspicions.length === 0) console.log(`no device of ${name} is suspected`);
    });

  withOperator(command.command("release"))
    .description("Let a quarantined device take part again; it is not suspected any more.")
    .argument("<name>", "the task")
    .argument("<device>", "the device's id, as `suspicions` lists it")
    .addHelpText("after", examples("tributary task release digits 0123456789abcdef0123456789abcdef"))
    .action(async (name: string, device: string, options: OperatorOptions) => {
      const { points } = await operatorApi(options).releaseDevice(name, device);
      console.log(`released ${device} in ${name}, after ${counted(points, "failure")}`);
    });

  return command;
}

/** Whether the coordinator sees sums only. */
function secureWords({ spec: { secureAggregation } }: TaskView): string {
  if (secureAggregation.mode === "off") return "secure: off";
  return secureAggregation.minimumCohort < PRIVATE_COHORT ? "secure: trial, not private" : "secure: on";
}

function print(task: TaskView, json: boolean | undefined): void {
  if (json === true) return console.log(JSON.stringify(task));
  const last = task.round;
  const why = task.reason === null ? "" : ` (${task.reason.code})`;
  const measured =
    last === null ? "" : `, loss ${formatNumber(last.loss, 4)}, accuracy ${formatPercent(last.accuracy)}`;
  console.log(
    `${task.name}  ${task.state}${why}  ${task.spec.mode.type}  ${task.spec.kind === "train" ? task.spec.strategy.name : task.spec.kind}  ${secureWords(task)}  ${counted(task.roundsCommitted, "round")} committed, version ${task.currentVersion} of ${task.model}${measured}`,
  );
  if (task.gate === null) return;
  const { last: verdict, failures, patience } = task.gate;
  if (verdict !== null) console.log(`  gate ${verdictLine(verdict)}`);
  if (failures > 0) console.log(`  ${failures} of ${patience} failures in a row`);
}
