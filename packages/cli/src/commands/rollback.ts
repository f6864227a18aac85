import { pages, type ApiClient } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { Command } from "commander";
import { versionOrAlias } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { missingLines, missingSignaturesOf } from "../models/release-state.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { examples } from "../examples.ts";

interface Options extends OperatorOptions {
  readonly channel: string;
  readonly to?: number | string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `tributary rollback`. */
export function rollbackCommand(): Command {
  return new Command("rollback")
    .description(
      "Put a channel back to the version that it had before. Devices that still keep that version take it without a download. Training goes on from where it is (tributary task reset changes that), and the newer version may be released again (tributary model withdraw bars it for good).",
    )
    .argument("<model>", "the model")
    .option("--channel <name>", "the channel", "stable")
    .option(
      "--to <version>",
      "this version, a number or an alias (default: the last older one that the channel had)",
      versionOrAlias,
    )
    .option("--yes", "do not ask")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples("tributary rollback digits", "tributary rollback digits --channel beta --to 12 --yes"),
    )
    .action(async (model: string, options: Options) => {
      const api = operatorApi(options);
      const { channel } = options;
      const from = await pointedTo(api, model, channel);
      const to = options.to ?? (await versionBefore(api, model, channel, from));
      await confirm(`Devices on channel ${channel} of ${model} go from version ${from} to ${to}.`, options);
      const { version } = await api.releaseVersion(model, to, { channel });
      const missingSignatures = await missingSignaturesOf(api, model, channel);
      if (options.json === true)
        return console.log(JSON.stringify({ model, channel, from, version, missingSignatures }));
      console.log(`${channel} of ${model} points to version ${version} instead of ${from}`);
      for (const line of missingLines(missingSignatures)) console.log(line);
    });
}

/** @throws `coordinator/unknown-channel` */
async function pointedTo(api: ApiClient, model: string, channel: string): Promise<number> {
  const found = (await api.channels(model)).find(({ name }) => name === channel);
  if (found === undefined)
    throw failure("coordinator/unknown-channel", `${model} has no channel ${channel}`, {
      detail: { model, channel },
    });
  return found.version;
}

/** The last older version that the channel had and that may still be run. @throws `cli/no-version-before` */
async function versionBefore(api: ApiClient, model: string, channel: string, from: number): Promise<number> {
  const barred = new Set((await api.withdrawals(model)).map(({ version }) => version));
  for await (const { history } of pages((cursor) => api.channelHistory(model, channel, { cursor }))) {
    const before = history.find(({ version }) => version < from && !barred.has(version));
    if (before !== undefined) return before.version;
  }
  throw failure(
    "cli/no-version-before",
    `channel ${channel} of ${model} had no version before ${from} that devices may run`,
    { detail: { model, channel, version: from } },
  );
}
