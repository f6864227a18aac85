import {
  chosenRanges,
  decodeModel,
  describeModel,
  encodeModel,
  gatherHistograms,
  quantilesOf,
  splitWeights,
  bindWeights,
  type ActivationHistogram,
  type CalibrationMethod,
} from "@tributary/onnx";
import { failure } from "@tributary/core";
import { CALIBRATION_KEY, type CalibrationDocument } from "@tributary/protocol";
import { readCalibration } from "../calibration-file.ts";
import { readInput } from "../read-input.ts";
import { readHistograms } from "./histogram-file.ts";
import { createModelRunner } from "./model-runner.ts";

/** Where the ranges of "int8-static" come from. */
export interface CalibrationOptions {
  /** Name of a file of examples, which stay here. */
  readonly calibration?: string | undefined;
  /** Names of files that `tributary histograms` wrote. */
  readonly histograms?: readonly string[] | undefined;
  readonly method?: CalibrationMethod | undefined;
  readonly percentile?: number | undefined;
}

/**
 * The model with the ranges of its activations, and what its inputs look like, in its metadata: what the forms of its versions are made
 * with, and compared on. Examples stay where they are.
 *
 * @throws `cli/file`, `onnx/*`
 */
export async function withCalibration(
  onnx: Uint8Array,
  options: CalibrationOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const { calibration, histograms: files = [], method, percentile } = options;
  const histograms =
    files.length > 0
      ? await readAll(files)
      : await gathered(onnx, calibration, await readInput(calibration!));
  const choice = {
    ...(method === undefined ? {} : { method }),
    ...(percentile === undefined ? {} : { percentile }),
  };
  const ranges = Array.from(chosenRanges(histograms, choice), ([name, { min, max }]) => [name, [min, max]]);
  const model = decodeModel(onnx);
  const sample = model.graph.inputs.flatMap(({ name, elementType }) => {
    const histogram = elementType === "float32" ? histograms.get(name) : undefined;
    return histogram === undefined ? [] : [[name, quantilesOf(histogram)]];
  });
  const document: CalibrationDocument = {
    formatVersion: 1,
    ranges: Object.fromEntries(ranges) as CalibrationDocument["ranges"],
    sample: Object.fromEntries(sample) as CalibrationDocument["sample"],
  };
  const others = model.metadata.filter(({ key }) => key !== CALIBRATION_KEY);
  return encodeModel({
    ...model,
    metadata: [...others, { key: CALIBRATION_KEY, value: JSON.stringify(document) }],
  });
}

async function readAll(names: readonly string[]): Promise<ReadonlyMap<string, ActivationHistogram>> {
  const files = new Map<string, Uint8Array>();
  for (const name of names) files.set(name, await readInput(name));
  return readHistograms(files);
}

/** Of the model as inference runs it, which forms are made of. */
async function gathered(
  onnx: Uint8Array,
  file: string | undefined,
  bytes: Uint8Array,
): Promise<ReadonlyMap<string, ActivationHistogram>> {
  const { graph, parameters } = splitWeights(onnx);
  const { examples } = readCalibration(bytes, describeModel(onnx));
  await using runner = createModelRunner();
  const found = await gatherHistograms(bindWeights(graph, parameters), { run: runner.run, examples });
  if (found.size > 0) return found;
  throw failure(
    "cli/file",
    `${file}: this model has no activations that int8-static would hold as integers; leave it out`,
  );
}
