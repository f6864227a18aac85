import { failure } from "@tributary/core";
import { Command } from "commander";
import { integerBetween } from "../arguments.ts";
import { dataDirOption, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { pageOf, printNext, withNumberedPaging, type NumberedPaging } from "../paging.ts";
import { everyRefusal } from "../rounds/every-refusal.ts";
import { roundLines } from "../rounds/round-lines.ts";
import { roundTableHeader, roundTableRow } from "../start/round-table.ts";
import { examples } from "../examples.ts";

interface Options extends OperatorOptions, NumberedPaging {
  readonly json?: boolean;
}

/** `tributary rounds`. */
export function roundsCommand(): Command {
  return withNumberedPaging(new Command("rounds"), { what: "rounds", most: 500, standard: 20 })
    .description(
      "List the rounds of a task, the newest last; or tell of one of them: its phases, its cohort, what was lost and why.",
    )
    .argument("<task>", "the task")
    .argument("[number]", "one of its rounds", integerBetween(1, Number.MAX_SAFE_INTEGER))
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary rounds digits --limit 50",
        "tributary rounds digits 12",
        "tributary rounds digits --json",
      ),
    )
    .action(
      async (task: string, number: number | undefined, { limit, before, json, ...options }: Options) => {
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
        const { rounds, next } = await api.rounds(task, pageOf({ limit, before }));
        if (json === true) return console.log(JSON.stringify({ rounds, next }));
        if (rounds.length === 0)
          return console.log(
            before === undefined ? `${task} has had no round yet` : `${task} has no round before ${before}`,
          );
        console.log(roundTableHeader());
        for (const round of rounds.toReversed()) console.log(roundTableRow(round));
        printNext(next, "--before");
      },
    );
}
