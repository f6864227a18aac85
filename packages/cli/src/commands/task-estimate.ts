import type { EstimateInput, EstimateView } from "@tributary/api-client";
import { failure, systemClock } from "@tributary/core";
import { Option, type Command } from "commander";
import { counted } from "../counted.ts";
import { integerBetween, numberBetween } from "../arguments.ts";
import { estimateLines } from "../estimate-lines.ts";
import { examples } from "../examples.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { readInput } from "../read-input.ts";
import { parseTaskDocument } from "../task-document.ts";

interface EstimateOptions extends OperatorOptions {
  readonly devices: number;
  readonly examplesPerDevice: number;
  readonly dropout: number;
  readonly stepMs: number;
  readonly downlinkMbps: number;
  readonly uplinkMbps: number;
  readonly labels: "alike" | "skewed";
  readonly target?: number;
  readonly minutes: number;
  readonly budget: number;
  readonly json?: boolean;
}

const EVERY_MS = 500;

/** `tributary task estimate FILE` */
export function addEstimateCommand(command: Command): void {
  command
    .command("estimate")
    .description(
      "Have the coordinator simulate a task before it starts: rounds to an accuracy or within a time, what devices send and compute, and what that does not tell. Devices learn from the task's data set for evaluation.",
    )
    .argument("<file>", "the task document (JSON), as for `create`")
    .addOption(
      new Option("--devices <n>", "devices of the population")
        .default(1_000)
        .argParser(integerBetween(1, 1_000_000)),
    )
    .addOption(
      new Option("--examples-per-device <n>", "examples of a device")
        .default(50)
        .argParser(integerBetween(1, 10_000)),
    )
    .addOption(
      new Option("--dropout <share>", "devices with an offer that vanish")
        .default(0.1)
        .argParser(numberBetween(-1e-9, 0.95)),
    )
    .addOption(
      new Option("--step-ms <ms>", "median time of a batch on a device")
        .default(20)
        .argParser(numberBetween(0, 600_000)),
    )
    .addOption(
      new Option("--downlink-mbps <n>", "median of devices").default(20).argParser(numberBetween(0, 100_000)),
    )
    .addOption(
      new Option("--uplink-mbps <n>", "median of devices").default(5).argParser(numberBetween(0, 100_000)),
    )
    .addOption(
      new Option("--labels <how>", "whether devices have labels in the same shares")
        .choices(["alike", "skewed"])
        .default("alike"),
    )
    .addOption(
      new Option("--target <accuracy>", "rounds until a version is so accurate, 0 to 1").argParser(
        numberBetween(0, 1),
      ),
    )
    .addOption(
      new Option("--minutes <n>", "simulated time, at most").default(60).argParser(numberBetween(0, 10_080)),
    )
    .addOption(
      new Option("--budget <seconds>", "time of the coordinator's machine, at most")
        .default(30)
        .argParser(integerBetween(1, 120)),
    )
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary task estimate task.json --target 0.95",
        "tributary task estimate task.json --devices 20000 --dropout 0.3 --labels skewed --json",
      ),
    )
    .action(runEstimate);
}

async function runEstimate(file: string, options: EstimateOptions): Promise<void> {
  const api = operatorApi(options);
  const { devices, examplesPerDevice, stepMs, downlinkMbps, uplinkMbps, labels } = options;
  const request: EstimateInput = {
    task: parseTaskDocument(file, await readInput(file)),
    fleet: {
      devices,
      examplesPerDevice,
      dropout: Math.max(0, options.dropout),
      stepMs,
      downlinkMbps,
      uplinkMbps,
      labels,
    },
    goal: { accuracy: options.target ?? null, minutes: options.minutes },
    budgetSeconds: options.budget,
  };
  let estimate = await api.estimateTask(request);
  const cancel = (): void => void api.cancelEstimate(estimate.id);
  process.once("SIGINT", cancel);
  try {
    while (estimate.state === "waiting" || estimate.state === "running") {
      await pause();
      estimate = await api.estimate(estimate.id);
      if (options.json !== true) tellProgress(estimate);
    }
  } finally {
    process.off("SIGINT", cancel);
  }
  const { result, error } = estimate;
  if (result === null)
    throw failure(
      "cli/estimate-ended",
      `the estimate ${estimate.state}: ${error?.message ?? "it was cancelled"}`,
      {
        detail: { state: estimate.state, ...(error === null ? {} : { code: error.code }) },
      },
    );
  if (options.json === true) return console.log(JSON.stringify(estimate));
  for (const line of estimateLines(result, options.target ?? null)) console.log(line);
}

function pause(): Promise<void> {
  return new Promise((resolve) => void systemClock.schedule(EVERY_MS, resolve));
}

function tellProgress({ state, progress }: EstimateView): void {
  if (!process.stderr.isTTY) return;
  const { rounds, share } = progress;
  const text =
    state === "waiting"
      ? "waits for its turn"
      : `${counted(rounds, "round")}, ${Math.round(share * 100)} % of the time`;
  process.stderr.write(`\r\u001b[2K${state === "done" ? "" : `simulated: ${text}`}`);
}
