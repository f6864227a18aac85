import { readTfjsArtifact } from "@tributary/engine/tfjs-artifact";
import { describeModel } from "@tributary/onnx";
import { STABLE_CHANNEL } from "@tributary/protocol";
import { Command } from "commander";
import { counted } from "../counted.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { missingLines, missingSignaturesOf } from "../models/release-state.ts";
import { addVariantsOptions, type VariantsOptions } from "../models/variants-option.ts";
import { readPublishedFile } from "../models/read-published-file.ts";
import { formatBytes } from "../start/format.ts";

/** `tributary publish model.onnx`: an ONNX file, or a model of TensorFlow.js, becomes a version of a model. */
export function publishCommand(): Command {
  const command = new Command("publish")
    .description("Publish a model: its graph, its float32 and int8 weights, and a signed release.")
    .argument(
      "<file>",
      "the ONNX file; or the model.json of a TensorFlow.js model: devices run it, and train it if it is a LayersModel",
    )
    .option("--name <name>", "the model's name (default: the file's)")
    .option("--processing <file>", "JSON: how images become inputs, and outputs answers with labels");
  return addVariantsOptions(command)
    .option("--no-personalisation", "leave out the graphs by which devices train weights of their own")
    .option("--no-release", "point no channel to it, so that it can be rolled out in steps")
    .option("--runtime <version>", "least version of the runtime that may run it, x.y.z")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  tributary publish model.onnx --name digits
  tributary publish model.onnx --variants int8-dynamic,float16
  tributary publish model.onnx --variants int8-static --calibration examples.safetensors`,
    )
    .action(
      async (
        file: string,
        options: OperatorOptions &
          VariantsOptions & {
            readonly name?: string;
            readonly processing?: string;
            readonly personalisation: boolean;
            readonly release: boolean;
            readonly runtime?: string;
            readonly json?: boolean;
          },
      ) => {
        const { name, format, bytes } = await readPublishedFile(file, options);
        // Here first: the reader's own message says more than a server tells a stranger.
        const { trainable, reasons } = format === "onnx" ? describeModel(bytes) : describeTfjs(bytes);
        const api = operatorApi(options);
        const { release, runtime } = options;
        const version = await api.publishModel(name, bytes, { release, runtime });
        const missingSignatures =
          version.releasedAt === null ? [] : await missingSignaturesOf(api, name, STABLE_CHANNEL);
        if (options.json === true) return console.log(JSON.stringify({ ...version, missingSignatures }));
        console.log(
          `published ${name} version ${version.version}: ${counted(version.parameterCount, "parameter")}, ` +
            `${formatBytes(version.sizeBytes)} float32, ${formatBytes(version.int8SizeBytes)} int8` +
            (version.releasedAt === null
              ? `; no channel points to it: tributary rollout start ${name} --arm ${version.version}`
              : ""),
        );
        for (const line of missingLines(missingSignatures)) console.log(line);
        if (!trainable) console.error(`devices can run it but not train it: ${reasons.join("; ")}`);
      },
    );
}

/** Whether TensorFlow.js has gradients for a model, and if not, why. */
function describeTfjs(bytes: Uint8Array): {
  readonly trainable: boolean;
  readonly reasons: readonly string[];
} {
  const { kind, training } = readTfjsArtifact(bytes).model;
  if (kind === "graph-model") {
    return { trainable: false, reasons: ["the weights of a GraphModel are constants to TensorFlow.js"] };
  }
  return training === undefined || training.trainable.length === 0
    ? { trainable: false, reasons: ["none of its layers is trainable"] }
    : { trainable: true, reasons: [] };
}
