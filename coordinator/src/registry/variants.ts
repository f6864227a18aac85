import { decodeUtf8, encodeUtf8 } from "@tributary/core";
import { isTfjsArtifact } from "@tributary/engine/tfjs-artifact";
import {
  type ActivationRange,
  bindWeights,
  decodeModel,
  encodeModel,
  keptActivations,
  quantize,
  quantizeNext,
  type QuantizationScales,
  type QuantizedModel,
  type QuantizeOptions,
} from "@tributary/onnx";
import {
  CALIBRATION_KEY,
  type CalibrationDocument,
  parseCalibration,
  parseVariantNames,
  VARIANTS_KEY,
  type VariantForm,
} from "@tributary/protocol";
import type { ParameterSet } from "@tributary/tensor";
import type { BlobStore } from "../ports/blob-store.ts";
import type { ModelRecord, VersionRecord } from "../ports/model-records.ts";

type Variant = VersionRecord["variants"][number];

/**
 * The derived forms that an ONNX file asks for.
 *
 * @throws `protocol/invalid-document`
 */
export function wantedVariants(onnx: Uint8Array): readonly VariantForm[] {
  const entry = decodeModel(onnx).metadata.find(({ key }) => key === VARIANTS_KEY);
  return entry === undefined ? [] : parseVariantNames(encodeUtf8(entry.value));
}

/**
 * A published file without what it says of its activations, and that: it is of these weights, and no part of the graph that versions share.
 *
 * @throws `protocol/invalid-document`
 */
export function takeCalibration(file: Uint8Array): {
  readonly file: Uint8Array;
  readonly calibration?: CalibrationDocument;
} {
  if (isTfjsArtifact(file)) return { file };
  const model = decodeModel(file);
  const entry = model.metadata.find(({ key }) => key === CALIBRATION_KEY);
  if (entry === undefined) return { file };
  const metadata = model.metadata.filter((each) => each !== entry);
  return {
    file: encodeModel({ ...model, metadata }),
    calibration: parseCalibration(encodeUtf8(entry.value)),
  };
}

/** What forms are made of, beside the weights. */
export interface VariantSources {
  /** The version before: what it was quantized with is kept as long as it fits. */
  readonly parent?: Pick<VersionRecord, "variants"> | undefined;
  /** Of a published file: its ranges replace those of before. */
  readonly calibration?: CalibrationDocument | undefined;
  /** Measures the activations of a whole model on examples, where there are some. */
  readonly measureRanges?:
    | ((complete: Uint8Array) => Promise<ReadonlyMap<string, ActivationRange>>)
    | undefined;
}

/**
 * Derives and stores a version's forms. The same sources always give the same bytes.
 *
 * @throws `onnx/*`; `onnx/needs-calibration` for a first "int8-static" without ranges
 */
export async function storeVariants(
  blobs: BlobStore,
  { graph, variants }: Pick<ModelRecord, "graph" | "variants">,
  parameters: ParameterSet,
  sources: VariantSources = {},
): Promise<readonly Variant[]> {
  if (variants.length === 0) return [];
  const complete = bindWeights(await blobs.bytes(graph.digest), parameters);
  const stored: Variant[] = [];
  for (const name of variants) {
    const before = sources.parent?.variants.find((each) => each.name === name);
    const made = await derive(complete, name, await readScales(blobs, before), sources);
    const sample = name === "int8-static" ? (sources.calibration?.sample ?? before?.sample) : undefined;
    stored.push({
      name,
      ...(await blobs.put(made.model)),
      ...(name === "float16" ? {} : { scales: await blobs.put(encodeUtf8(JSON.stringify(made.scales))) }),
      ...(sample === undefined ? {} : { sample }),
    });
  }
  return stored;
}

async function derive(
  complete: Uint8Array,
  name: VariantForm,
  frozen: QuantizationScales | undefined,
  { calibration, measureRanges }: VariantSources,
): Promise<QuantizedModel> {
  if (name === "float16") return await quantize(complete, { scheme: name, float16Form: "arithmetic" });
  if (name === "int8-dynamic" || calibration !== undefined) {
    const ranges = new Map(
      Object.entries(calibration?.ranges ?? {}).map(([activation, [min, max]]) => [
        activation,
        { min: Math.min(0, min!), max: Math.max(0, max!) },
      ]),
    );
    const weights = frozen && { ...frozen, activations: {} };
    const options: QuantizeOptions = { scheme: name, calibration: { ranges } };
    return await (weights === undefined
      ? quantize(complete, options)
      : quantizeNext(complete, options, weights));
  }
  if (frozen === undefined) return await quantize(complete, { scheme: name });
  const seen = await measureRanges?.(complete);
  const activations = seen === undefined ? frozen.activations : keptActivations(frozen.activations, seen);
  return await quantizeNext(complete, { scheme: name }, { ...frozen, activations });
}

/** A version of an earlier release has none. */
async function readScales(
  blobs: BlobStore,
  before: Variant | undefined,
): Promise<QuantizationScales | undefined> {
  if (before?.scales === undefined) return undefined;
  return JSON.parse(decodeUtf8(await blobs.bytes(before.scales.digest))) as QuantizationScales;
}
