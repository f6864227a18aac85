import { encodeModel } from "../ir/encode.ts";
import type { Model } from "../ir/model.ts";
import { chainAdvice } from "./chain-advice.ts";
import { compactNames, usedInitializers } from "./compact.ts";
import { float16 } from "./float16.ts";
import { inferenceForm } from "./inference-form.ts";
import { int4Weights } from "./int4-weights.ts";
import { int8Dynamic } from "./int8-dynamic.ts";
import { int8Static } from "./int8-static.ts";
import { int8Weights } from "./int8-weights.ts";
import type { QuantizationScale, QuantizationScheme, QuantizedModel, QuantizeOptions } from "./options.ts";
import type { Scheme } from "./scheme.ts";

const SCHEMES: Readonly<Record<QuantizationScheme, Scheme>> = {
  float16,
  "int8-weights": int8Weights,
  "int8-dynamic": int8Dynamic,
  "int8-static": int8Static,
  "int4-weights": int4Weights,
};

/** IR version that brought the 4-bit types. */
const INT4_IR = 10;

/**
 * Makes a smaller, often faster model for inference of a float32 one. Inputs and outputs keep their names and
 * types; the same model and options always give the same bytes. Weights that a scheme does not reach stay float32.
 * Errors: any `onnx/*`; `onnx/needs-calibration` where "int8-static" has no ranges.
 */
export async function quantize(model: Uint8Array, options: QuantizeOptions): Promise<QuantizedModel> {
  checkOptions(options);
  const { scheme } = options;
  const form = inferenceForm(model);
  const {
    graph,
    opsets = {},
    weights,
    activations = new Map(),
    reports,
  } = await SCHEMES[scheme](form, options);
  const finished: Model = {
    ...form,
    irVersion: scheme === "int4-weights" ? Math.max(form.irVersion, INT4_IR) : form.irVersion,
    opsetImports: raisedOpsets(form.opsetImports, opsets),
    graph: compactNames(usedInitializers(graph)),
  };
  return {
    model: encodeModel(finished),
    scheme,
    scales: { scheme, weights: plainScales(weights), activations: plainScales(activations) },
    weights: reports,
    chain: chainAdvice(reports, options),
  };
}

function checkOptions(options: QuantizeOptions): void {
  const { scheme, calibration, errorLimit, frozenScales, perChannel } = options;
  if (!Object.hasOwn(SCHEMES, scheme)) {
    throw new TypeError(
      `quantize: scheme must be one of ${Object.keys(SCHEMES).join(", ")}, got ${String(scheme)}`,
    );
  }
  const percentile = calibration?.percentile ?? 100;
  if (!(percentile > 50 && percentile <= 100)) {
    throw new RangeError(`quantize: calibration.percentile must be in (50, 100], got ${percentile}`);
  }
  if (scheme === "int4-weights" && perChannel === false) {
    throw new TypeError(
      "quantize: perChannel: false cannot be had with int4-weights, whose scales are for blocks of 32 weights of one output channel; leave it out",
    );
  }
  if (errorLimit !== undefined && !(errorLimit > 0)) {
    throw new RangeError(`quantize: errorLimit must be above 0, got ${errorLimit}`);
  }
  if (frozenScales !== undefined && frozenScales.scheme !== scheme) {
    throw new TypeError(
      `quantize: frozenScales are of ${frozenScales.scheme}, not ${scheme}; start a new chain`,
    );
  }
}

function raisedOpsets(
  imports: Model["opsetImports"],
  needed: Readonly<Record<string, number>>,
): Model["opsetImports"] {
  const versions = new Map(imports.map(({ domain, version }) => [domain, version]));
  for (const [domain, version] of Object.entries(needed)) {
    versions.set(domain, Math.max(version, versions.get(domain) ?? 0));
  }
  return Array.from(versions, ([domain, version]) => ({ domain, version }));
}

function plainScales(scales: ReadonlyMap<string, QuantizationScale>): Record<string, QuantizationScale> {
  return Object.fromEntries(
    Array.from(scales, ([name, { scales: steps, zeroPoints }]) => [name, { scales: steps, zeroPoints }]),
  );
}
