import { createApiClient, type GraphPort, type ModelView } from "@tributary/api-client";
import { Command } from "commander";
import { integerBetween } from "../arguments.ts";
import { addHealthCommand } from "./health.ts";
import { addExportCommand } from "./model-export.ts";
import { addImportCommand } from "./model-import.ts";
import { dataDirOption, operatorToken, urlOption, type OperatorOptions } from "../operator.ts";
import { tableLines, type TableColumn } from "../table.ts";

type Port = GraphPort & { readonly direction: "input" | "output" };

const PORTS: readonly TableColumn<Port>[] = [
  { title: "port", cell: ({ direction }) => direction },
  { title: "name", cell: ({ name }) => name },
  { title: "dtype", cell: ({ dtype }) => dtype },
  { title: "shape", cell: ({ shape }) => `[${shape.map((size) => (size < 0 ? "*" : size)).join(",")}]` },
];

interface Options {
  readonly url: string;
  readonly json?: boolean;
}

/** `tributary model list|show|release|health|export|import`. */
export function modelCommand(): Command {
  const command = new Command("model").description(
    "See the published models, what goes in and out, how they fare on devices, release their versions, and write them to files and read them back.",
  );

  command
    .command("list")
    .description("List models with their current version.")
    .addOption(urlOption())
    .option("--json", "print one JSON object")
    .action(async ({ url, json }: Options) => {
      const models = await createApiClient({ baseUrl: url }).models();
      if (json === true) return console.log(JSON.stringify({ models }));
      for (const model of models) console.log(headline(model));
      if (models.length === 0) console.log("no models");
    });

  command
    .command("show")
    .description("Show a model's inputs and outputs; a dimension * is free, the first is the batch.")
    .argument("<name>", "the model")
    .addOption(urlOption())
    .option("--json", "print one JSON object")
    .action(async (name: string, { url, json }: Options) => {
      const model = await createApiClient({ baseUrl: url }).model(name);
      if (json === true) return console.log(JSON.stringify(model));
      console.log(headline(model));
      const ports = [
        ...model.inputs.map((port): Port => ({ ...port, direction: "input" })),
        ...model.outputs.map((port): Port => ({ ...port, direction: "output" })),
      ];
      for (const line of tableLines(PORTS, ports)) console.log(line);
    });

  command
    .command("release")
    .description(
      "Move the model's channel to a version, newer or older: devices run it from here on. Training goes on from the newest version.",
    )
    .argument("<name>", "the model")
    .argument("<version>", "its version", integerBetween(1, 2 ** 32 - 1))
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .action(async (name: string, version: number, options: OperatorOptions & { readonly json?: boolean }) => {
      const api = createApiClient({ baseUrl: options.url, token: operatorToken(options) });
      const released = await api.releaseVersion(name, version);
      if (options.json === true) return console.log(JSON.stringify(released));
      console.log(`released ${name} ${released.version}`);
    });

  addHealthCommand(command);
  addExportCommand(command);
  addImportCommand(command);
  return command;
}

function headline({
  name,
  channel,
  currentVersion,
  releasedVersion,
  versions,
  parameterCount,
}: ModelView): string {
  const released = releasedVersion === currentVersion ? "" : `, newest ${currentVersion} is not released`;
  return `${name}  ${channel}  version ${releasedVersion} of ${versions}${released}, ${parameterCount} parameters`;
}
