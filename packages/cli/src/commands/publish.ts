import { basename } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { asModelName } from "@tributary/core";
import { describeModel } from "@tributary/onnx";
import { Command } from "commander";
import { dataDirOption, operatorToken, urlOption, type OperatorOptions } from "../operator.ts";
import { readModelFile } from "../models/read-model-file.ts";
import { withProcessing } from "../models/with-processing.ts";
import { readInput } from "../read-input.ts";
import { formatBytes } from "../start/format.ts";

/** `tributary publish model.onnx`: an ONNX file becomes version 1 of a model. */
export function publishCommand(): Command {
  return new Command("publish")
    .description("Publish an ONNX model: its graph, its float32 and int8 weights, and a signed release.")
    .argument("<file>", "the ONNX file")
    .option("--name <name>", "the model's name (default: the file's)")
    .option("--processing <file>", "JSON: how images become inputs, and outputs answers with labels")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .action(
      async (
        file: string,
        options: OperatorOptions & {
          readonly name?: string;
          readonly processing?: string;
          readonly json?: boolean;
        },
      ) => {
        const name = asModelName(
          options.name ??
            basename(file)
              .replace(/\.onnx$/i, "")
              .toLowerCase(),
        );
        const model = await readModelFile(file);
        const bytes =
          options.processing === undefined
            ? model
            : withProcessing(model, await readInput(options.processing));
        // Here first: the reader's own message says more than a server tells a stranger.
        const { trainable, reasons } = describeModel(bytes);
        const api = createApiClient({ baseUrl: options.url, token: operatorToken(options) });
        const version = await api.publishModel(name, bytes);
        if (options.json === true) return console.log(JSON.stringify(version));
        console.log(
          `published ${name} version ${version.version}: ${version.parameterCount} parameters, ` +
            `${formatBytes(version.sizeBytes)} float32, ${formatBytes(version.int8SizeBytes)} int8`,
        );
        if (!trainable) console.error(`devices can run it but not train it: ${reasons.join("; ")}`);
      },
    );
}
