import { failure } from "@tributary/core";
import type { Command } from "commander";
import { integerBetween } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { missingLines, missingSignaturesOf, releaseState } from "../models/release-state.ts";
import { dataDirOption, operatorApi, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { examples } from "../examples.ts";

/** `tributary model withdraw|restore|withdrawals`. */
export function addWithdrawCommands(command: Command): void {
  command
    .command("withdraw")
    .description(
      "The kill switch of a version: no device runs it any more, channels on it go back to their last good version, rollouts of it end, training goes back, and it is offered to none again.",
    )
    .argument("<name>", "the model")
    .argument("<version>", "its version", integerBetween(1, 2 ** 32 - 1))
    .requiredOption("--reason <text>", "why; devices and the audit log keep it")
    .option("--yes", "do not ask")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples('tributary model withdraw digits 7 --reason "it calls a 1 a 7" --yes'))
    .action(
      async (
        name: string,
        version: number,
        options: OperatorOptions & {
          readonly reason: string;
          readonly yes?: boolean;
          readonly json?: boolean;
        },
      ) => {
        await confirm(
          `Version ${version} of ${name} is withdrawn for good: nothing brings it back, nor what was trained from it.`,
          options,
        );
        const api = operatorApi(options);
        const withdrawn = await api.withdrawVersion(name, version, options.reason);
        const missingSignatures = await missingSignaturesOf(api, name);
        if (options.json === true) return console.log(JSON.stringify({ ...withdrawn, missingSignatures }));
        console.log(`withdrawn ${name} ${version}: ${withdrawn.reason}`);
        const { channels, withdrawn: gone } = await releaseState(api, name);
        for (const channel of channels)
          console.log(
            gone.has(channel.version)
              ? `  ${channel.name} has no version left that devices may run: release another`
              : `  ${channel.name} points to version ${channel.version}`,
          );
        for (const line of missingLines(missingSignatures)) console.log(line);
      },
    );

  command
    .command("restore", { hidden: true })
    .description("Refused: what devices were told not to run stays so.")
    .argument("<name>", "the model")
    .argument("<version>", "its version")
    .action((name: string, version: string) => {
      throw failure(
        "coordinator/version-withdrawn",
        `version ${version} of ${name} cannot be restored: devices were told not to run it any more; publish its file again, as a new version`,
        { detail: { model: name, version } },
      );
    });

  command
    .command("withdrawals")
    .description("List the versions of a model that no device runs any more.")
    .argument("<name>", "the model")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary model withdrawals digits"))
    .action(async (name: string, { url, dataDir, json }: OperatorOptions & { readonly json?: boolean }) => {
      const withdrawals = await readerApi({ url, dataDir }).withdrawals(name);
      if (json === true) return console.log(JSON.stringify({ withdrawals }));
      for (const { version, at, reason } of withdrawals) console.log(`${name} ${version}  ${at}  ${reason}`);
      if (withdrawals.length === 0) console.log("none was withdrawn");
    });
}
