import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Benchmark } from "../src/bench/benchmark.ts";
import { runFedAvg } from "../src/fedavg-run.ts";

/** FedAvg as in McMahan et al. 2017, section 3, on any folder of IDX files. */
const fedavg: Benchmark = {
  name: "fedavg",
  summary:
    "FedAvg's 2NN on a folder of IDX files: 100 devices, a tenth a round, one local epoch, batches of 10.",
  usage:
    "--dataset DIR [--devices 100] [--fraction 0.1] [--epochs 1] [--batch 10] [--lr 0.1] [--rounds 40] [--target 0.95] [--partition iid|skewed]",
  async run({ args, log }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        dataset: { type: "string" },
        devices: { type: "string", default: "100" },
        fraction: { type: "string", default: "0.1" },
        epochs: { type: "string", default: "1" },
        batch: { type: "string", default: "10" },
        lr: { type: "string", default: "0.1" },
        rounds: { type: "string", default: "40" },
        target: { type: "string", default: "0.95" },
        partition: { type: "string", default: "iid" },
      },
    });
    if (values.dataset === undefined)
      throw new Error("--dataset DIR is needed: a folder of IDX files (the MNIST format, plain or .gz)");
    const run = await runFedAvg({
      dataset: resolve(values.dataset),
      devices: Number(values.devices),
      fraction: Number(values.fraction),
      epochs: Number(values.epochs),
      batchSize: Number(values.batch),
      learningRate: Number(values.lr),
      rounds: Number(values.rounds),
      target: Number(values.target),
      partition: values.partition === "skewed" ? "skewed" : "iid",
      log,
    });
    return {
      results: { curve: run.curve },
      figures: {
        roundsToTarget: run.roundsToTarget ?? Number.NaN,
        finalAccuracy: run.curve.at(-1)?.accuracy ?? Number.NaN,
        seconds: run.seconds,
      },
    };
  },
};
export default fedavg;
