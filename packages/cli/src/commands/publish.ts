import { basename } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { asModelName } from "@tributary/core";
import { describeModel } from "@tributary/onnx";
import { Command } from "commander";
import { dataDirOption, operatorToken, urlOption, type OperatorOptions } from "../operator.ts";
import { packTfjsFile } from "../models/pack-tfjs-file.ts";
import { readModelFile } from "../models/read-model-file.ts";
import { withProcessing } from "../models/with-processing.ts";
import { readInput } from "../read-input.ts";
import { formatBytes } from "../start/format.ts";

/** `tributary publish model.onnx`: an ONNX file, or a model of TensorFlow.js, becomes a version of a model. */
export function publishCommand(): Command {
  return new Command("publish")
    .description("Publish a model: its graph, its float32 and int8 weights, and a signed release.")
    .argument(
      "<file>",
      "the ONNX file; or the model.json of a TensorFlow.js model, which devices run and do not train",
    )
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
              .replace(/\.(?:onnx|json)$/i, "")
              .toLowerCase(),
        );
        const { bytes, untrainable } = await readPublished(file, options.processing);
        const api = createApiClient({ baseUrl: options.url, token: operatorToken(options) });
        const version = await api.publishModel(name, bytes);
        if (options.json === true) return console.log(JSON.stringify(version));
        console.log(
          `published ${name} version ${version.version}: ${version.parameterCount} parameters, ` +
            `${formatBytes(version.sizeBytes)} float32, ${formatBytes(version.int8SizeBytes)} int8`,
        );
        if (untrainable !== undefined) console.error(`devices can run it but not train it: ${untrainable}`);
      },
    );
}

/** @param processing - name of a file */
async function readPublished(
  file: string,
  processing: string | undefined,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly untrainable: string | undefined }> {
  const document = processing === undefined ? undefined : await readInput(processing);
  if (/\.json$/i.test(file)) {
    return { bytes: await packTfjsFile(file, document), untrainable: "it is a model of TensorFlow.js" };
  }
  const model = await readModelFile(file);
  const bytes = document === undefined ? model : withProcessing(model, document);
  // Here first: the reader's own message says more than a server tells a stranger.
  const { trainable, reasons } = describeModel(bytes);
  return { bytes: bytes as Uint8Array<ArrayBuffer>, untrainable: trainable ? undefined : reasons.join("; ") };
}
