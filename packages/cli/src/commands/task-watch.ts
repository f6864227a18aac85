import { createApiClient, subscribeEvents, type RoundView, type TaskView } from "@tributary/api-client";
import { Option, type Command } from "commander";
import { integerBetween } from "../arguments.ts";
import { dataDirOption, operatorTokenIfAny, urlOption, type OperatorOptions } from "../operator.ts";
import { createProgress } from "../start/progress.ts";
import { examples } from "../examples.ts";

interface Options extends OperatorOptions {
  readonly rounds?: number;
  readonly json?: boolean;
}

/** `tributary task watch`. */
export function addWatchCommand(command: Command): void {
  command
    .command("watch")
    .description(
      "Show a task's rounds as they run, until it pauses or finishes, or so many more have ended. Fails where the task stopped by itself.",
    )
    .argument("<name>", "the task")
    .addOption(
      new Option("--rounds <n>", "leave after this many ended rounds").argParser(
        integerBetween(1, 1_000_000),
      ),
    )
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object a line: each round that ended, and the task where it stopped")
    .addHelpText(
      "after",
      examples("tributary task watch digits", "tributary task watch digits --rounds 5 --json | jq .accuracy"),
    )
    .action(
      async (name: string, { rounds = Number.POSITIVE_INFINITY, json = false, ...options }: Options) => {
        const progress = createProgress(process.stdout);
        const stopped = Promise.withResolvers<TaskView | undefined>();
        const ended = new Set<string>();
        const onRound = (round: RoundView): void => {
          if (round.task !== name || ended.has(round.id)) return;
          if (!json) progress.round(round);
          if (round.endedAt === null) return;
          ended.add(round.id);
          if (json) console.log(JSON.stringify(round));
          if (ended.size >= rounds) stopped.resolve(undefined);
        };
        const onTask = (task: TaskView): void => {
          if (task.name === name && task.state !== "running") stopped.resolve(task);
        };
        const token = operatorTokenIfAny(options);
        const api = createApiClient({ baseUrl: options.url, token });
        const read = async (): Promise<void> => {
          const task = await api.task(name);
          if (task.round?.endedAt === null) onRound(task.round);
          onTask(task);
        };
        const subscription = subscribeEvents(options.url, {
          token,
          onEvent: (event) => {
            if (event.type === "round") onRound(event.data);
            else if (event.type === "task") onTask(event.data);
            else if (event.type === "reset") read().catch(stopped.reject);
          },
          // What happened between reading and following is in neither: so it is read once the stream is open.
          onState: (state) => {
            if (state.status === "open") read().catch(stopped.reject);
            else if (state.status === "failed") stopped.reject(state.error);
            else if (state.status === "closed") stopped.resolve(undefined);
          },
        });
        try {
          const task = await stopped.promise;
          if (task === undefined) return;
          if (json) console.log(JSON.stringify(task));
          else progress.line(`${name} is ${task.state}${reasonOf(task)}`);
          if (task.state === "paused" && task.reason?.code !== "operator") process.exitCode = 1;
        } finally {
          subscription.close();
          progress.stop();
        }
      },
    );
}

const reasonOf = ({ reason }: TaskView): string =>
  reason === null ? "" : `: ${reason.code}, ${reason.message}`;
