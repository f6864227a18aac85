import { build2nn } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import {
  clientDataOf,
  digitsClientData,
  heldOutDigitsTable,
  openDataSet,
  parsePartition,
  PARTITIONS,
  simulate,
  simulationReport,
  tableShape,
  takeTrusted,
  writeResults,
  type ClientData,
  type Shares,
  type SimulateOptions,
  type SimulationResult,
} from "@tributary/simulator";
import { Command, Option } from "commander";
import { counted } from "../counted.ts";
import { integerBetween, numberBetween } from "../arguments.ts";
import { readModelFile } from "../models/read-model-file.ts";
import { readInput } from "../read-input.ts";
import { fleetOf, parseShares, withFleetOptions, type FleetOptions } from "../simulate/fleet-options.ts";
import { createRoundPrinter } from "../simulate/simulated-rounds.ts";
import { formatNumber, formatPercent } from "../start/format.ts";

interface SimulateCommandOptions extends FleetOptions {
  readonly clients: number;
  readonly dataset: string;
  readonly partition: string;
  readonly seed: string;
  readonly rounds?: number;
  readonly target?: number;
  readonly model?: string;
  readonly label: string;
  readonly heldOut: number;
  readonly trusted?: string;
  readonly examplesPerClient: number;
  readonly evaluateEvery: number;
  readonly languages: Shares;
  readonly tags: Shares;
  readonly threads?: number;
  readonly out?: string;
  readonly json?: boolean;
}

const DIGITS = "digits";
/** How many digits versions are measured on. */
const HELD_OUT_DIGITS = 2_000;

const EXAMPLES = `
Examples:
  tributary simulate task.json --clients 1000 --dataset digits --partition dirichlet:0.5 --dropout 0.3 --seed 7
  tributary simulate task.json --clients 100 --dataset mnist/ --partition shards:2 --target 0.97 --out results/
  tributary simulate task.json --clients 40 --dataset visits.csv --label outcome --partition by:clinic --model risk.onnx
  tributary simulate nightly.json --clients 5000 --languages de:0.3,en:0.6 --tags beta:0.1 --unmetered-share 0.5
  tributary simulate fltrust.json --clients 100 --dataset mnist/ --trusted 100
  tributary simulate task.json --clients 1000000 --dataset digits --online-minutes 30 --offline-minutes 600 --day-swing 4`;

/** `tributary simulate task.json`: the task's rounds among simulated devices. */
export function simulateCommand(): Command {
  const command = new Command("simulate")
    .description(
      "Play a task's rounds among simulated devices, with the real protocol (secure aggregation included), real training and a virtual clock. The same seed gives the same model, to the bit.",
    )
    .argument("<file>", "the task document (JSON), as for `task create`")
    .addOption(
      new Option("--clients <n>", "devices of the population; more cost no memory")
        .default(100)
        .argParser(integerBetween(1, 100_000_000)),
    )
    .option(
      "--dataset <source>",
      `"${DIGITS}" (built in), a folder of IDX files (the MNIST format), a folder with train and test, or one file: .csv, .jsonl (also .gz), .safetensors`,
      DIGITS,
    )
    .option("--partition <spec>", `how examples belong to devices: ${PARTITIONS.join(", ")}`, "iid")
    .option("--seed <text>", "everything random follows from it", "1")
    .addOption(
      new Option("--rounds <n>", "rounds to commit (default: those of the task, else 100)").argParser(
        integerBetween(1, 1_000_000),
      ),
    )
    .addOption(
      new Option("--target <accuracy>", "end after the first version that is at least so accurate").argParser(
        numberBetween(0, 1),
      ),
    )
    .option("--model <file>", "the ONNX file (default: the 2NN of the FedAvg paper, for 28 x 28 images)")
    .option("--label <column>", "column of what is to be learned, in CSV and JSON Lines", "label")
    .addOption(
      new Option("--held-out <share>", "of a single file: what versions are measured on")
        .default(0.1)
        .argParser(numberBetween(0, 0.9)),
    )
    .option(
      "--trusted <what>",
      "with flTrust, what the server trains on itself: so many examples of the data set (then of no client), or a file of them",
    )
    .addOption(
      new Option("--examples-per-client <n>", "of devices that draw or make their own examples")
        .default(20)
        .argParser(integerBetween(1, 100_000)),
    )
    .addOption(
      new Option("--evaluate-every <n>", "measure every so manyth version, and the last")
        .default(1)
        .argParser(integerBetween(1, 1_000_000)),
    )
    .addOption(
      new Option("--threads <n>", "threads that train (default: one for each processor)").argParser(
        integerBetween(1, 256),
      ),
    );
  return withFleetOptions(command)
    .addOption(
      new Option("--languages <shares>", "languages of devices, such as en:0.6,de:0.3")
        .default({}, "none")
        .argParser(parseShares),
    )
    .addOption(
      new Option("--tags <shares>", "tags that the app gave devices, such as beta:0.1, each for itself")
        .default({}, "none")
        .argParser(parseShares),
    )
    .option(
      "--out <dir>",
      "write results.json, rounds.csv, a TensorBoard event file, model.onnx and weights.safetensors there",
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", EXAMPLES)
    .action(runSimulation);
}

async function runSimulation(file: string, options: SimulateCommandOptions): Promise<void> {
  const spec = parseTaskSpec(await readInput(file));
  const model =
    options.model === undefined ? build2nn({ seed: options.seed }) : await readModelFile(options.model);
  const { data, heldOut, trusted } = await examplesOf(options, { spec, model });
  const printer = createRoundPrinter(
    process.stderr,
    options.json === true ? undefined : (line) => console.log(line),
  );
  let result: SimulationResult;
  try {
    result = await simulate({
      spec,
      model,
      data,
      heldOut,
      trusted,
      seed: options.seed,
      fleet: fleetOf(options),
      labels: { languages: options.languages, tags: options.tags },
      rounds: options.rounds,
      targetAccuracy: options.target,
      evaluateEvery: options.evaluateEvery,
      threads: options.threads,
      onRound: (row) => printer.round(row),
      onProgress: (progress) => printer.progress(progress),
    });
  } finally {
    printer.stop();
  }
  const { clients, dataset, partition, seed, examplesPerClient } = options;
  const report = simulationReport(result, {
    clients,
    dataset,
    partition,
    seed,
    examplesPerClient,
    languages: sharesText(options.languages),
    tags: sharesText(options.tags),
    ...fleetOf(options),
  });
  const files = options.out === undefined ? [] : await writeResults(options.out, result, report);
  if (options.json === true) return console.log(JSON.stringify({ ...report, files }));
  printSummary(result, files);
}

async function examplesOf(
  options: SimulateCommandOptions,
  task: Pick<SimulateOptions, "spec" | "model">,
): Promise<{ readonly data: ClientData } & Pick<SimulateOptions, "heldOut" | "trusted">> {
  const { clients, seed, examplesPerClient, dataset, label, heldOut: heldOutShare } = options;
  const spec = parsePartition(options.partition);
  const dealing = { spec, clients, seed, examplesPerClient };
  const count = /^[1-9]\d{0,6}$/.test(options.trusted ?? "") ? Number(options.trusted) : undefined;
  const reading = { shape: tableShape(task.spec, task.model), label, seed };
  const file =
    options.trusted === undefined || count !== undefined
      ? undefined
      : (await openDataSet(options.trusted, { ...reading, heldOutShare: 0 })).train.table;
  if (dataset === DIGITS) {
    return {
      data: digitsClientData(dealing),
      heldOut: heldOutDigitsTable(seed, HELD_OUT_DIGITS),
      trusted: count === undefined ? file : heldOutDigitsTable(`${seed}/trusted`, count),
    };
  }
  const { train, heldOut } = await openDataSet(dataset, {
    ...reading,
    group: spec.kind === "by" ? spec.column : undefined,
    heldOutShare,
  });
  if (count === undefined) return { data: clientDataOf(train, dealing), heldOut, trusted: file };
  const { rest, taken } = takeTrusted(train, count, seed);
  return { data: clientDataOf(rest, dealing), heldOut, trusted: taken };
}

function sharesText(shares: Shares): string {
  return Object.entries(shares)
    .map(([name, share]) => `${name}:${share}`)
    .join();
}

function printSummary(
  { rows, stopped, roundsToTarget, released, modelDigest }: SimulationResult,
  files: readonly string[],
): void {
  const trained = rows.filter(({ purpose }) => purpose === "train");
  const last = trained.findLast(({ phase }) => phase === "committed");
  const abandoned = trained.filter(({ phase }) => phase === "abandoned").length;
  const verdicts = rows.flatMap(({ verdict }) => (verdict === null ? [] : [verdict.result]));
  const minutes = (rows.at(-1)?.clockSeconds ?? 0) / 60;
  console.log("");
  console.log(
    `${counted(trained.length - abandoned, "round")} committed, ${abandoned} abandoned, in ${formatNumber(minutes, 1)} simulated minutes`,
  );
  if (last !== undefined) {
    console.log(`loss ${formatNumber(last.loss, 4)}, accuracy ${formatPercent(last.accuracy)}`);
  }
  if (verdicts.length > 0) {
    const passed = verdicts.filter((result) => result === "passed").length;
    console.log(`${passed} of ${verdicts.length} versions passed the gate, released is version ${released}`);
  }
  if (stopped !== null) console.log(`ended: ${stopped.message}`);
  if (roundsToTarget !== null) console.log(`the target was reached in round ${roundsToTarget}`);
  console.log(`model ${modelDigest}`);
  for (const file of files) console.log(`wrote ${file}`);
}
