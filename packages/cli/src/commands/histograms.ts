import { writeFile } from "node:fs/promises";
import { describeModel, gatherHistograms } from "@tributary/onnx";
import { Command } from "commander";
import { counted } from "../counted.ts";
import { list } from "../arguments.ts";
import { readCalibration } from "../calibration-file.ts";
import { writeHistograms } from "../models/histogram-file.ts";
import { createModelRunner } from "../models/model-runner.ts";
import { readModelFile } from "../models/read-model-file.ts";
import { readInput } from "../read-input.ts";
import { examples } from "../examples.ts";

interface HistogramsOptions {
  readonly calibration: string;
  readonly exclude: readonly string[];
  readonly output: string;
}

/** `tributary histograms model.onnx`: activation ranges gathered where the examples are, without the examples. */
export function histogramsCommand(): Command {
  return new Command("histograms")
    .description(
      "Count a model's activations over examples, for `tributary quantize --histograms` elsewhere.",
    )
    .argument("<file>", "the ONNX file")
    .requiredOption("--calibration <file>", "examples as safetensors; they stay here")
    .option("--exclude <names>", "as for `tributary quantize`", list, [])
    .requiredOption("-o, --output <file>", "where the histograms go")
    .addHelpText(
      "after",
      examples("tributary histograms model.onnx --calibration examples.safetensors --output ranges.json"),
    )
    .action(async (file: string, { calibration, exclude, output }: HistogramsOptions) => {
      const bytes = await readModelFile(file);
      const { examples, count } = readCalibration(await readInput(calibration), describeModel(bytes));
      await using runner = createModelRunner();
      const histograms = await gatherHistograms(bytes, { run: runner.run, examples, exclude });
      await writeFile(output, writeHistograms(histograms));
      console.log(`${output}: ${counted(histograms.size, "activation")} over ${counted(count, "example")}`);
    });
}
