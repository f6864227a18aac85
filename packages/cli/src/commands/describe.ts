import { describeModel, type LossName } from "@tributary/onnx";
import { Command, Option } from "commander";
import { descriptionLines } from "../models/description-lines.ts";
import { readModelFile } from "../models/read-model-file.ts";
import { examples } from "../examples.ts";

const LOSSES: readonly LossName[] = ["softmax-cross-entropy", "sigmoid-cross-entropy", "mse", "mae", "huber"];

/** `tributary describe model.onnx`: what is in it, and whether it can be trained. */
export function describeCommand(): Command {
  return new Command("describe")
    .description("Tell what an ONNX file holds and whether its graph can be trained on devices.")
    .argument("<file>", "the ONNX file; weights may lie in other files of its folder")
    .addOption(
      new Option(
        "--loss <loss>",
        "try to train with this one (default: the one that the output looks made for)",
      ).choices(LOSSES),
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary describe model.onnx"))
    .action(async (file: string, options: { readonly loss?: LossName; readonly json?: boolean }) => {
      const { loss } = options;
      const description = describeModel(await readModelFile(file), loss === undefined ? {} : { loss });
      if (options.json === true) return console.log(JSON.stringify(description));
      for (const line of descriptionLines(description)) console.log(line);
    });
}
