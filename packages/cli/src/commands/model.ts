import { createApiClient, type GraphPort, type ModelView } from "@tributary/api-client";
import { Command } from "commander";
import { urlOption } from "../operator.ts";
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

/** `tributary model list|show`. */
export function modelCommand(): Command {
  const command = new Command("model").description("See the published models, and what goes in and out.");

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

  return command;
}

function headline({ name, channel, currentVersion, versions, parameterCount }: ModelView): string {
  return `${name}  ${channel}  version ${currentVersion} of ${versions}, ${parameterCount} parameters`;
}
