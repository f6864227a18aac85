import { asModelName } from "@tributary/core";
import { STABLE_CHANNEL } from "@tributary/protocol";
import type { Command } from "commander";
import { counted } from "../counted.ts";
import { importedModel } from "../exports/imported-model.ts";
import { openExported } from "../exports/read-exported.ts";
import { missingLines, missingSignaturesOf } from "../models/release-state.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { formatBytes } from "../start/format.ts";

interface Options extends OperatorOptions {
  readonly name?: string;
  readonly release: boolean;
  readonly json?: boolean;
}

/** `tributary model import PATH`: an exported version becomes a version here. */
export function addImportCommand(command: Command): void {
  command
    .command("import")
    .description(
      "Publish an exported version, a folder or an OCI image layout: as the next version of its model, or of another one. Every file is verified first.",
    )
    .argument("<path>", "the folder")
    .option("--name <name>", "the model's name here (default: the name that it had)")
    .option(
      "--no-release",
      "leave the model's channel where it is, to roll the version out in steps (a model's first version is released)",
    )
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  tributary model import digits-12
  tributary model import layout --name digits-of-the-clinic`,
    )
    .action(async (path: string, options: Options) => {
      const exported = await openExported(path);
      const { model, version: was } = exported.manifest.version;
      const name = asModelName(options.name ?? model);
      const { bytes } = await importedModel(exported);
      const api = operatorApi(options);
      const version = await api.publishModel(name, bytes, {
        importedFrom: exported.digest,
        release: options.release,
      });
      const missingSignatures =
        version.releasedAt === null ? [] : await missingSignaturesOf(api, name, STABLE_CHANNEL);
      if (options.json === true) return console.log(JSON.stringify({ ...version, missingSignatures }));
      console.log(
        `imported ${model} version ${was} as ${name} version ${version.version}: ${counted(version.parameterCount, "parameter")}, ${formatBytes(version.sizeBytes)} float32`,
      );
      for (const line of missingLines(missingSignatures)) console.log(line);
    });
}
