import { BATCH_NORMALIZATION_MODES, type BatchNormalizationMode } from "@tributary/protocol";
import { Option, type Command } from "commander";
import { integerBetween, numberBetween } from "../arguments.ts";

/** What devices train and send, as options beside the task document. */
export interface UpdateOptions {
  readonly adapterRank?: number;
  readonly adapterAlpha?: number;
  readonly adapterTarget?: readonly string[];
  readonly trainA?: boolean;
  readonly batchNormalization?: BatchNormalizationMode;
}

export function withUpdateOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--adapter-rank <n>",
        "train and send low-rank adapters of this rank instead of the weights",
      ).argParser(integerBetween(1, 4096)),
    )
    .addOption(
      new Option("--adapter-alpha <n>", "scales the adapters by alpha / rank (default: the rank)").argParser(
        numberBetween(0, 1e6),
      ),
    )
    .option("--adapter-target <name...>", "weights to adapt, * for any text (default: all)")
    .option("--train-a", "train both factors of the adapters; the mean of updates is then only nearly theirs")
    .addOption(
      new Option(
        "--batch-normalization <mode>",
        "frozen: normalize by the version's running statistics; federated: by the batch, and average the statistics",
      ).choices(BATCH_NORMALIZATION_MODES),
    );
}

/** The document with what the options say in it; the options win. */
export function withUpdate<Document extends object>(
  document: Document & { readonly adapters?: object | null },
  options: UpdateOptions,
): Document {
  const { adapterRank, adapterAlpha, adapterTarget, trainA, batchNormalization } = options;
  const adapters = {
    ...(adapterRank === undefined ? {} : { rank: adapterRank }),
    ...(adapterAlpha === undefined ? {} : { alpha: adapterAlpha }),
    ...(adapterTarget === undefined ? {} : { targets: adapterTarget }),
    ...(trainA === true ? { freezeA: false } : {}),
  };
  return {
    ...document,
    ...(Object.keys(adapters).length === 0 ? {} : { adapters: { ...document.adapters, ...adapters } }),
    ...(batchNormalization === undefined ? {} : { batchNormalization }),
  };
}
