import { Command } from "commander";
import { namesOf, versionColumns } from "../models/version-columns.ts";
import { dataDirOption, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { tableLines } from "../table.ts";
import { examples } from "../examples.ts";

/** `tributary versions`. */
export function versionsCommand(): Command {
  return new Command("versions")
    .description("List a model's versions, newest first: where each came from and how it was measured.")
    .argument("<model>", "the model")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary versions digits", "tributary versions digits --json"))
    .action(async (name: string, { json, ...options }: OperatorOptions & { readonly json?: boolean }) => {
      const api = readerApi(options);
      const versions = await api.versions(name);
      if (json === true) return console.log(JSON.stringify({ versions }));
      const names = namesOf(await api.model(name));
      for (const line of tableLines(versionColumns(names), versions)) console.log(line);
    });
}
