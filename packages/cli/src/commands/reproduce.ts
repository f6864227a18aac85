import { failure } from "@tributary/core";
import { Command } from "commander";
import { versionOrAlias } from "../arguments.ts";
import { openExported } from "../exports/read-exported.ts";
import { reproduceOffline } from "../exports/reproduce-offline.ts";
import { reproductionLines } from "../exports/reproduction-lines.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";

interface Options extends OperatorOptions {
  readonly from?: string;
  readonly json?: boolean;
}

/** `tributary reproduce MODEL VERSION`: takes the step that made a version again. */
export function reproduceCommand(): Command {
  return new Command("reproduce")
    .description(
      "Take the step that made a version again, from the sum of its cohort, its parent and what the server optimizer remembered, and say whether it is the same bit for bit, or what is missing. Exit code 1 unless it is the same.",
    )
    .argument("[model]", "the model")
    .argument("[version]", "its version, or an alias such as champion", versionOrAlias)
    .option(
      "--from <path>",
      "without a coordinator: a folder or OCI layout that was exported --with-states, instead of model and version",
    )
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  tributary reproduce digits 12
  tributary model export digits 12 --with-states --out digits-12 && tributary reproduce --from digits-12`,
    )
    .action(async (model: string | undefined, version: number | string | undefined, options: Options) => {
      const view = await reproduced(model, version, options);
      if (view.result !== "same") process.exitCode = 1;
      if (options.json === true) return console.log(JSON.stringify(view));
      for (const line of reproductionLines(view)) console.log(line);
    });
}

async function reproduced(model: string | undefined, version: number | string | undefined, options: Options) {
  if (options.from !== undefined && model === undefined)
    return reproduceOffline(await openExported(options.from));
  if (options.from !== undefined || model === undefined || version === undefined)
    throw failure("cli/usage", "reproduce: name a model and a version, or a folder with --from");
  return operatorApi(options).reproduce(model, version);
}
