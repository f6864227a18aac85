import { Command, Option } from "commander";
import { integerBetween } from "../arguments.ts";
import { releaseState } from "../models/release-state.ts";
import { namesOf, versionColumns } from "../models/version-columns.ts";
import { dataDirOption, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { beforeOption, printNext } from "../paging.ts";
import { tableLines } from "../table.ts";
import { examples } from "../examples.ts";

interface Options extends OperatorOptions {
  readonly last: number;
  readonly before?: string;
  readonly json?: boolean;
}

/** `tributary versions`. */
export function versionsCommand(): Command {
  return new Command("versions")
    .description("List a model's versions, newest first: where each came from and how it was measured.")
    .argument("<model>", "the model")
    .addOption(new Option("--last <n>", "only so many").argParser(integerBetween(1, 500)).default(500))
    .addOption(beforeOption("only versions before this one"))
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary versions digits", "tributary versions digits --json"))
    .action(async (name: string, { json, last, before, ...options }: Options) => {
      const api = readerApi(options);
      const { versions, next } = await api.versions(name, { limit: last, cursor: before });
      if (json === true) return console.log(JSON.stringify({ versions, next }));
      const columns = versionColumns(namesOf(await api.model(name)), await releaseState(api, name));
      for (const line of tableLines(columns, versions)) console.log(line);
      printNext(next, "--before");
    });
}
