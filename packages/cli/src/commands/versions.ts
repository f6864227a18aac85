import { Command } from "commander";
import { releaseState } from "../models/release-state.ts";
import { namesOf, versionColumns } from "../models/version-columns.ts";
import { dataDirOption, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { pageOf, printNext, withNumberedPaging, type NumberedPaging } from "../paging.ts";
import { tableLines } from "../table.ts";
import { examples } from "../examples.ts";

interface Options extends OperatorOptions, NumberedPaging {
  readonly json?: boolean;
}

/** `tributary versions`. */
export function versionsCommand(): Command {
  return withNumberedPaging(new Command("versions"), { what: "versions", most: 500, standard: 500 })
    .description("List a model's versions, newest first: where each came from and how it was measured.")
    .argument("<model>", "the model")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary versions digits",
        "tributary versions digits --limit 10 --before 40",
        "tributary versions digits --json",
      ),
    )
    .action(async (name: string, { json, limit, before, ...options }: Options) => {
      const api = readerApi(options);
      const { versions, next } = await api.versions(name, pageOf({ limit, before }));
      if (json === true) return console.log(JSON.stringify({ versions, next }));
      if (versions.length === 0) return console.log(`${name} has no version before ${before}`);
      const { offered } = await api.retention(name);
      const columns = versionColumns(namesOf(await api.model(name)), {
        ...(await releaseState(api, name)),
        offered: new Set(offered.map(({ version }) => version)),
      });
      for (const line of tableLines(columns, versions)) console.log(line);
      printNext(next, "--before");
    });
}
