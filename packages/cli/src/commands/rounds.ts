import { failure } from "@tributary/core";
import { Command, Option } from "commander";
import { integerBetween } from "../arguments.ts";
import { dataDirOption, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { beforeOption, printNext } from "../paging.ts";
import { everyRefusal } from "../rounds/every-refusal.ts";
import { roundLines } from "../rounds/round-lines.ts";
import { roundTableHeader, roundTableRow } from "../start/round-table.ts";
import { examples } from "../examples.ts";

interface Options extends OperatorOptions {
  readonly last: number;
  readonly before?: string;
  readonly json?: boolean;
}

/** `tributary rounds`. */
export function roundsCommand(): Command {
  return new Command("rounds")
    .description(
      "List the rounds of a task, the newest last; or tell of one of them: its phases, its cohort, what was lost and why.",
    )
    .argument("<task>", "the task")
    .argument("[number]", "one of its rounds", integerBetween(1, Number.MAX_SAFE_INTEGER))
    .addOption(new Option("--last <n>", "only so many").argParser(integerBetween(1, 500)).default(20))
    .addOption(beforeOption("only rounds before this one"))
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary rounds digits --last 50",
        "tributary rounds digits 12",
        "tributary rounds digits --json",
      ),
    )
    .action(async (task: string, number: number | undefined, { last, before, json, ...options }: Options) => {
      const api = readerApi(options);
      if (number !== undefined) {
        const [round] = (await api.rounds(task, { number })).rounds;
        if (round === undefined)
          throw failure("http/not-found", `${task} has no round ${number}`, {
            detail: { task, round: number },
          });
        const refusals = await everyRefusal(api, round.id);
        if (json === true) return console.log(JSON.stringify({ ...round, refusals }));
        for (const line of roundLines(round, refusals)) console.log(line);
        return;
      }
      const { rounds, next } = await api.rounds(task, { limit: last, cursor: before });
      if (json === true) return console.log(JSON.stringify({ rounds, next }));
      if (rounds.length === 0) return console.log(`${task} has had no round yet`);
      console.log(roundTableHeader());
      for (const round of rounds.toReversed()) console.log(roundTableRow(round));
      printNext(next, "--before");
    });
}
