import { writeFile } from "node:fs/promises";
import {
  compareModels,
  describeModel,
  quantize,
  QUANTIZATION_SCHEMES,
  type Calibration,
  type ModelComparison,
  type QuantizedModel,
} from "@tributary/onnx";
import { Command } from "commander";
import { counted } from "../counted.ts";
import { list } from "../arguments.ts";
import { readCalibration, type CalibrationExamples } from "../calibration-file.ts";
import { readHistograms } from "../models/histogram-file.ts";
import { createModelRunner, type ModelRunner } from "../models/model-runner.ts";
import {
  addQuantizeFlags,
  chooseScheme,
  settingsOf,
  type QuantizeFlags,
} from "../models/quantize-options.ts";
import { readModelFile } from "../models/read-model-file.ts";
import { parseScales } from "../models/scales-file.ts";
import { writeModelFile } from "../models/write-model-file.ts";
import { readInput } from "../read-input.ts";
import { formatBytes, formatPercent } from "../start/format.ts";
import { examples } from "../examples.ts";

interface QuantizeCommandOptions extends QuantizeFlags {
  readonly calibration?: string;
  readonly histograms: readonly string[];
  readonly frozenScales?: string;
  readonly saveScales?: string;
  readonly output: string;
  readonly externalData?: boolean;
  readonly json?: boolean;
}

/** `tributary quantize model.onnx`: a smaller model, and what it costs in accuracy. */
export function quantizeCommand(): Command {
  const command = new Command("quantize")
    .description("Make a smaller ONNX model, and compare it with the original on the calibration examples.")
    .argument("<file>", "the ONNX file; weights may lie in other files of its folder");
  return addQuantizeFlags(command, QUANTIZATION_SCHEMES)
    .option("--calibration <file>", "examples as safetensors: a tensor for each input, or images and labels")
    .option("--histograms <files>", "what `tributary histograms` gathered; several are added up", list, [])
    .option("--frozen-scales <file>", "scales of an earlier version, so that few bytes change")
    .option("--save-scales <file>", "where the scales go, for --frozen-scales of the next version")
    .requiredOption("-o, --output <file>", "where the quantized model goes")
    .option("--external-data", "put the weights into a file of their own, OUTPUT.data")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples("tributary quantize model.onnx --scheme int8-dynamic --output model.int8.onnx"),
    )
    .action(quantizeFile);
}

async function quantizeFile(file: string, options: QuantizeCommandOptions): Promise<void> {
  const bytes = await readModelFile(file);
  const description = describeModel(bytes);
  const { calibration, frozenScales: scalesFile, saveScales } = options;
  const given =
    calibration === undefined ? undefined : readCalibration(await readInput(calibration), description);
  const frozenScales =
    scalesFile === undefined ? undefined : parseScales(scalesFile, await readInput(scalesFile));
  await using runner = createModelRunner();
  const ranges = await rangesOf(options, runner, given);
  const choice =
    options.scheme === "auto" && frozenScales !== undefined
      ? { ...chooseScheme({ ...options, scheme: frozenScales.scheme }, description, true) }
      : chooseScheme(options, description, ranges !== undefined);
  const made = await quantize(bytes, {
    ...settingsOf(options),
    scheme: choice.scheme,
    ...(ranges === undefined ? {} : { calibration: ranges }),
    ...(frozenScales === undefined ? {} : { frozenScales }),
  });
  const comparison = given === undefined ? undefined : await compare(bytes, made, runner, given);
  const files = await writeModelFile(options.output, made.model, options.externalData === true);
  if (saveScales !== undefined) await writeFile(saveScales, `${JSON.stringify(made.scales)}\n`);
  const sizes = { bytes: made.model.length, originalBytes: bytes.length };
  const { weights, chain } = made;
  if (options.json === true) {
    const { reason = null, sessionConfig } = choice;
    const report = { scheme: choice.scheme, reason, sessionConfig, files, ...sizes };
    return console.log(JSON.stringify({ ...report, comparison: comparison ?? null, weights, chain }));
  }
  console.log(
    `${files.join(", ")}: ${choice.scheme}, ${formatBytes(sizes.bytes)} of ${formatBytes(sizes.originalBytes)} ` +
      `(${formatPercent(sizes.bytes / sizes.originalBytes)})`,
  );
  if (choice.reason !== undefined) console.log(`why             ${choice.reason}`);
  for (const [key, value] of Object.entries(choice.sessionConfig)) {
    console.log(`load with       ${key}=${value}, else one example takes several times as long`);
  }
  for (const reason of chain.reasons)
    console.log(`new chain       ${reason}; quantize without --frozen-scales`);
  printComparison(comparison);
}

async function rangesOf(
  { histograms, method, percentile }: QuantizeCommandOptions,
  { run }: ModelRunner,
  given: CalibrationExamples | undefined,
): Promise<Calibration | undefined> {
  const choice = { method, percentile };
  if (histograms.length > 0) {
    const files = new Map<string, Uint8Array>();
    for (const file of histograms) files.set(file, await readInput(file));
    return { ...choice, histograms: readHistograms(files) };
  }
  return given === undefined ? undefined : { ...choice, run, examples: given.examples };
}

function compare(
  reference: Uint8Array,
  { model }: QuantizedModel,
  { run }: ModelRunner,
  { examples, labels }: CalibrationExamples,
): Promise<ModelComparison> {
  return compareModels({
    reference,
    candidate: model,
    run,
    examples,
    ...(labels === undefined ? {} : { labels }),
  });
}

function printComparison(comparison: ModelComparison | undefined): void {
  if (comparison === undefined) {
    console.log("no calibration examples, so nothing was compared; --calibration FILE tells the error");
    return;
  }
  console.log(
    `output error    ${formatPercent(comparison.relativeError)} on ${counted(comparison.rows, "example")}`,
  );
  console.log(`same class      ${formatPercent(comparison.top1Agreement)}`);
  const { accuracy } = comparison;
  if (accuracy === undefined) return;
  console.log(
    `accuracy        ${formatPercent(accuracy.candidate)}, was ${formatPercent(accuracy.reference)}`,
  );
}
