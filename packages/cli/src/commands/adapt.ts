import { writeFile } from "node:fs/promises";
import { addLowRankAdapters, bindWeights, mergeLowRankAdapters, splitWeights } from "@tributary/onnx";
import { parametersFromSafetensors } from "@tributary/tensor";
import { Command, Option } from "commander";
import { counted } from "../counted.ts";
import { integerBetween } from "../arguments.ts";
import { readInput } from "../read-input.ts";
import { formatBytes } from "../start/format.ts";
import { examples } from "../examples.ts";

interface AdaptOptions {
  readonly rank?: number;
  readonly alpha?: number;
  readonly target?: readonly string[];
  readonly trainA?: boolean;
  readonly merge?: boolean;
  readonly weights?: string;
  readonly output: string;
}

/** `tributary adapt model.onnx`: low-rank adapters beside the weights; with `--merge` back into them. */
export function adaptCommand(): Command {
  return new Command("adapt")
    .description(
      "Add low-rank adapters to an ONNX model, so that devices train and send only those; or merge them again.",
    )
    .argument("<file>", "the ONNX file")
    .addOption(
      new Option("--rank <n>", "columns between the two factors of an adapter")
        .argParser(integerBetween(1, 4096))
        .default(8),
    )
    .addOption(
      new Option("--alpha <n>", "the adapter's part is scaled by alpha / rank (default: the rank)").argParser(
        Number,
      ),
    )
    .option("--target <name...>", "weights to adapt, * for any text (default: all of MatMul, Gemm and Conv)")
    .option("--train-a", "train the first factor too; the mean of updates is then only nearly that update")
    .addOption(
      new Option("--merge", "fold the adapters into the weights").conflicts(["alpha", "target", "trainA"]),
    )
    .option("--weights <file>", "with --merge: trained adapters, a version's weights (safetensors)")
    .requiredOption("-o, --output <file>", "where the model goes")
    .addHelpText("after", examples("tributary adapt model.onnx --rank 8 --output adapted.onnx"))
    .action(async (file: string, options: AdaptOptions) => {
      const model = await readInput(file);
      if (options.merge === true) {
        const trained =
          options.weights === undefined ? model : withWeights(model, await readInput(options.weights));
        const merged = mergeLowRankAdapters(trained);
        await writeFile(options.output, merged);
        console.log(`${options.output}: merged, ${formatBytes(merged.length)}`);
        return;
      }
      const { rank = 8, alpha, target } = options;
      const adapted = addLowRankAdapters(model, {
        rank,
        freezeA: options.trainA !== true,
        ...(alpha === undefined ? {} : { alpha }),
        ...(target === undefined ? {} : { targets: target }),
      });
      await writeFile(options.output, adapted.model);
      const { parameters } = splitWeights(adapted.model);
      console.log(
        `${options.output}: ${counted(adapted.trainable.length, "adapter")} of rank ${rank}, ` +
          `${parameters.values.length.toLocaleString("en")} numbers that devices train and send`,
      );
    });
}

function withWeights(model: Uint8Array, weights: Uint8Array): Uint8Array {
  const { graph, parameters } = splitWeights(model);
  return bindWeights(graph, parametersFromSafetensors(parameters.schema, weights));
}
