import type { AliasView, GraphPort, ModelView, SignedChannelView } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { Command } from "commander";
import { counted } from "../counted.ts";
import { versionOrAlias } from "../arguments.ts";
import { addCardCommands } from "./card.ts";
import { addRetentionCommand } from "./retention.ts";
import { addHealthCommand } from "./health.ts";
import { addExportCommand } from "./model-export.ts";
import { addImportCommand } from "./model-import.ts";
import { addWithdrawCommands } from "./withdraw.ts";
import { dataDirOption, operatorApi, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import {
  channelNotes,
  releaseState,
  missingLines,
  missingSignaturesOf,
  type ReleaseState,
} from "../models/release-state.ts";
import { tableLines, type TableColumn } from "../table.ts";
import { examples } from "../examples.ts";

type Port = GraphPort & { readonly direction: "input" | "output" };

const PORTS: readonly TableColumn<Port>[] = [
  { title: "port", cell: ({ direction }) => direction },
  { title: "name", cell: ({ name }) => name },
  { title: "dtype", cell: ({ dtype }) => dtype },
  { title: "shape", cell: ({ shape }) => `[${shape.map((size) => (size < 0 ? "*" : size)).join(",")}]` },
];

const channelColumns = (release: ReleaseState): readonly TableColumn<SignedChannelView>[] => [
  { title: "channel", cell: ({ name }) => name },
  { title: "version", cell: ({ version }) => String(version), align: "right" },
  { title: "since", cell: ({ releasedAt }) => releasedAt },
  { title: "state", cell: (channel) => channelNotes(channel, release).join(", ") },
];

const ALIASES: readonly TableColumn<AliasView>[] = [
  { title: "alias", cell: ({ name }) => name },
  { title: "version", cell: ({ version }) => String(version), align: "right" },
  { title: "since", cell: ({ movedAt }) => movedAt },
];

interface Options extends OperatorOptions {
  readonly json?: boolean;
}

/** `tributary model list|show|release|channels|remove-channel|aliases|alias|retention|card|card-notes|health|withdraw|withdrawals|export|import`. */
export function modelCommand(): Command {
  const command = new Command("model").description(
    "See the published models, what goes in and out, how they fare on devices, release their versions, and write them to files and read them back.",
  );

  command
    .command("list")
    .description("List models with their current version.")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary model list --json"))
    .action(async ({ url, dataDir, json }: Options) => {
      const api = readerApi({ url, dataDir });
      const models = await api.models();
      if (json === true) return console.log(JSON.stringify({ models }));
      for (const model of models) console.log(headline(model, await releaseState(api, model.name)));
      if (models.length === 0) console.log("no models");
    });

  command
    .command("show")
    .description("Show a model's inputs and outputs; a dimension * is free, the first is the batch.")
    .argument("<name>", "the model")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary model show digits"))
    .action(async (name: string, { url, dataDir, json }: Options) => {
      const api = readerApi({ url, dataDir });
      const model = await api.model(name);
      if (json === true) return console.log(JSON.stringify(model));
      console.log(headline(model, await releaseState(api, name)));
      const ports = [
        ...model.inputs.map((port): Port => ({ ...port, direction: "input" })),
        ...model.outputs.map((port): Port => ({ ...port, direction: "output" })),
      ];
      for (const line of tableLines(PORTS, ports)) console.log(line);
    });

  command
    .command("release")
    .description(
      "Move a channel of a model to a version, newer or older: devices on it run it from here on. Training goes on from the newest version.",
    )
    .argument("<name>", "the model")
    .argument("<version>", "its version: a number, or an alias", versionOrAlias)
    .option("--channel <name>", "the channel; one that is not there yet is made", "stable")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples("tributary model release digits 7", "tributary model release digits candidate --channel beta"),
    )
    .action(
      async (
        name: string,
        version: number | string,
        options: OperatorOptions & { readonly channel: string; readonly json?: boolean },
      ) => {
        const { channel } = options;
        const api = operatorApi(options);
        const released = await api.releaseVersion(name, version, { channel });
        const missingSignatures = await missingSignaturesOf(api, name, channel);
        if (options.json === true) return console.log(JSON.stringify({ ...released, missingSignatures }));
        console.log(`released ${name} ${released.version} on ${channel}`);
        for (const line of missingLines(missingSignatures)) console.log(line);
      },
    );

  command
    .command("channels")
    .description("Show what a model's channels point to.")
    .argument("<name>", "the model")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary model channels digits"))
    .action(async (name: string, { url, dataDir, json }: Options) => {
      const api = readerApi({ url, dataDir });
      if (json === true) return console.log(JSON.stringify({ channels: await api.channels(name) }));
      const release = await releaseState(api, name);
      for (const line of tableLines(channelColumns(release), release.channels)) console.log(line);
    });

  command
    .command("remove-channel")
    .description(
      "Remove a channel: devices on it stay on their version, and new ones find none. stable stays.",
    )
    .argument("<name>", "the model")
    .argument("<channel>", "its channel")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary model remove-channel digits beta"))
    .action(async (name: string, channel: string, options: OperatorOptions & { readonly json?: boolean }) => {
      const api = operatorApi(options);
      const channels = await api.removeChannel(name, channel);
      if (options.json === true) return console.log(JSON.stringify({ channels }));
      console.log(`removed channel ${channel} of ${name}`);
    });

  command
    .command("aliases")
    .description(
      "Show what versions of a model are called: champion is what was last released on stable, candidate what waits for a gate's verdict.",
    )
    .argument("<name>", "the model")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary model aliases digits"))
    .action(async (name: string, { url, dataDir, json }: Options) => {
      const aliases = await readerApi({ url, dataDir }).aliases(name);
      if (json === true) return console.log(JSON.stringify({ aliases }));
      for (const line of tableLines(ALIASES, aliases)) console.log(line);
    });

  command
    .command("alias")
    .description("Give a version a name that commands take in the place of its number.")
    .argument("<name>", "the model")
    .argument("<alias>", "a lowercase name, such as reviewed")
    .argument("[version]", "the version: a number, or another alias", versionOrAlias)
    .option("--remove", "take the name away instead")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary model alias digits reviewed 7",
        "tributary model release digits reviewed",
        "tributary model alias digits reviewed --remove",
      ),
    )
    .action(
      async (
        name: string,
        alias: string,
        version: number | string | undefined,
        options: OperatorOptions & { readonly remove?: boolean; readonly json?: boolean },
      ) => {
        if ((version === undefined) !== (options.remove === true))
          throw failure("cli/usage", "model alias: give either a version, or --remove");
        const api = operatorApi(options);
        if (version === undefined) {
          const aliases = await api.removeAlias(name, alias);
          console.log(
            options.json === true ? JSON.stringify({ aliases }) : `removed alias ${alias} of ${name}`,
          );
          return;
        }
        const moved = await api.moveAlias(name, alias, version);
        console.log(
          options.json === true ? JSON.stringify(moved) : `${alias} of ${name} is ${moved.version}`,
        );
      },
    );

  addRetentionCommand(command);
  addCardCommands(command);
  addHealthCommand(command);
  addExportCommand(command);
  addImportCommand(command);
  addWithdrawCommands(command);
  return command;
}

function headline(
  { name, channels, currentVersion, releasedVersion, versions, parameterCount }: ModelView,
  release: ReleaseState,
): string {
  const released = releasedVersion === currentVersion ? "" : `, newest ${currentVersion} is not released`;
  const notes = (of: string): string => {
    const channel = release.channels.find((each) => each.name === of);
    const found = channel === undefined ? [] : channelNotes(channel, release);
    return found.length === 0 ? "" : ` (${found.join(", ")})`;
  };
  const others = channels
    .slice(1)
    .map((channel) => `, ${channel.name} ${channel.version}${notes(channel.name)}`);
  return `${name}  stable  version ${releasedVersion} of ${versions}${notes("stable")}${released}${others.join("")}, ${counted(parameterCount, "parameter")}`;
}
