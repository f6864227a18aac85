import { basename } from "node:path";
import { asModelName, type ModelName } from "@tributary/core";
import { readInput } from "../read-input.ts";
import { packTfjsFile } from "./pack-tfjs-file.ts";
import { readModelFile } from "./read-model-file.ts";
import type { VariantsOptions } from "./variants-option.ts";
import { withCalibration } from "./with-calibration.ts";
import { withProcessing } from "./with-processing.ts";
import { withVariants } from "./with-variants.ts";
import { withoutPersonalisation } from "./without-personalisation.ts";

export interface PublishedFile {
  readonly name: ModelName;
  readonly format: "onnx" | "tfjs";
  /** As it is uploaded: one file. */
  readonly bytes: Uint8Array;
}

/** Whether a word on the command line names a file of a model: ONNX, or the model.json of TensorFlow.js. */
export function isModelFile(word: string): boolean {
  return /\.(?:onnx|json)$/i.test(word);
}

/**
 * Reads a file that becomes a model.
 *
 * @param options.name - the model's name; left out: the file's
 * @param options.processing - name of a file
 * @param options.variants - forms to derive of an ONNX model's versions
 * @param options.calibration - file of examples, or `histograms`: what "int8-static" among them is made with
 * @param options.personalisation - whether devices may train weights of their own for it. @defaultValue true
 * @throws `cli/file`, `onnx/*`, `protocol/invalid-document`, and as `packTfjsFile`
 */
export async function readPublishedFile(
  file: string,
  options: VariantsOptions & {
    readonly name?: string | undefined;
    readonly processing?: string | undefined;
    readonly personalisation?: boolean | undefined;
  },
): Promise<PublishedFile> {
  const { processing, variants = [], personalisation = true } = options;
  const name = asModelName(
    options.name ??
      basename(file)
        .replace(/\.(?:onnx|json)$/i, "")
        .toLowerCase(),
  );
  const document = processing === undefined ? undefined : await readInput(processing);
  if (/\.json$/i.test(file)) return { name, format: "tfjs", bytes: await packTfjsFile(file, document) };
  const model = await readModelFile(file);
  const processed = document === undefined ? model : withProcessing(model, document);
  const varied = variants.length === 0 ? processed : withVariants(processed, variants);
  const isCalibrated = options.calibration !== undefined || options.histograms !== undefined;
  const calibrated = isCalibrated ? await withCalibration(varied, options) : varied;
  const bytes = personalisation ? calibrated : withoutPersonalisation(calibrated);
  return { name, format: "onnx", bytes };
}
