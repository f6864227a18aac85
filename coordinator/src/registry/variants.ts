import { decodeUtf8, encodeUtf8 } from "@tributary/core";
import {
  type ActivationRange,
  bindWeights,
  decodeModel,
  keptActivations,
  type QuantizationScales,
  quantize,
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
import type { ModelRecord, VersionRecord } from "../ports/records.ts";

type Variant = VersionRecord["variants"][number];

/**
 * The derived forms that an ONNX file asks for.
 *
 * @throws `protocol/invalid-document`
 */
export function wantedVariants(onnx: Uint8Array): readonly VariantForm[] {
  const value = metadataOf(onnx, VARIANTS_KEY);
  return value === undefined ? [] : parseVariantNames(encodeUtf8(value));
}

/**
 * What an ONNX file says of its activations.
 *
 * @throws `protocol/invalid-document`
 */
export function calibrationOf(onnx: Uint8Array): CalibrationDocument | undefined {
  const value = metadataOf(onnx, CALIBRATION_KEY);
  return value === undefined ? undefined : parseCalibration(encodeUtf8(value));
}

function metadataOf(onnx: Uint8Array, wanted: string): string | undefined {
  return decodeModel(onnx).metadata.find(({ key }) => key === wanted)?.value;
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
    return await inChain(complete, { scheme: name, calibration: { ranges } }, weights);
  }
  if (frozen === undefined) return await quantize(complete, { scheme: name });
  const seen = await measureRanges?.(complete);
  const activations = seen === undefined ? frozen.activations : keptActivations(frozen.activations, seen);
  return await inChain(complete, { scheme: name }, { ...frozen, activations });
}

/** With the scales of the version before; weights that these do not fit any more get new ones. */
async function inChain(
  complete: Uint8Array,
  options: QuantizeOptions,
  frozen: QuantizationScales | undefined,
): Promise<QuantizedModel> {
  if (frozen === undefined) return await quantize(complete, options);
  const made = await quantize(complete, { ...options, frozenScales: frozen });
  if (!made.chain.startNewChain) return made;
  return await quantize(complete, { ...options, frozenScales: { ...frozen, weights: {} } });
}

/** A version of an earlier release has none. */
async function readScales(
  blobs: BlobStore,
  before: Variant | undefined,
): Promise<QuantizationScales | undefined> {
  if (before?.scales === undefined) return undefined;
  return JSON.parse(decodeUtf8(await blobs.bytes(before.scales.digest))) as QuantizationScales;
}
