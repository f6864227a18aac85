import { isBeyond, isCoarse } from "./chain-advice.ts";
import type { QuantizationScales, QuantizedModel, QuantizeOptions } from "./options.ts";
import { quantize } from "./quantize.ts";

/** What a scale grows by that its weight is beyond: room for some rounds, for an eighth of a step. */
const GROWTH = 1.125;
const MOST_GROWTHS = 4;

/**
 * Quantizes the next version of a model that its scales are kept of. A weight that is beyond its scale gets a wider one, and one that its
 * scale does not fit at all a new one; the others, and the ranges of activations, stay, so that files of both have the same length and
 * differ in few bytes. Errors: as `quantize`.
 */
export async function quantizeNext(
  model: Uint8Array,
  options: Omit<QuantizeOptions, "frozenScales">,
  before: QuantizationScales,
): Promise<QuantizedModel> {
  let weights = before.weights;
  for (let growths = 0; ; growths++) {
    const made = await quantize(model, { ...options, frozenScales: { ...before, weights } });
    const beyond = made.weights.filter((report) => isBeyond(report)).map(({ name }) => name);
    if (beyond.length > 0 && growths < MOST_GROWTHS) {
      weights = mapOf(weights, (name, scale) =>
        beyond.includes(name)
          ? { ...scale, scales: scale.scales.map((step) => Math.fround(step * GROWTH)) }
          : scale,
      );
      continue;
    }
    const unfit = made.weights.filter((report) => isBeyond(report) || isCoarse(report, options));
    // What has none is new already.
    const dropped = unfit.map(({ name }) => name).filter((name) => Object.hasOwn(weights, name));
    if (dropped.length === 0) return made;
    weights = Object.fromEntries(Object.entries(weights).filter(([name]) => !dropped.includes(name)));
  }
}

function mapOf(
  weights: QuantizationScales["weights"],
  change: (
    name: string,
    scale: QuantizationScales["weights"][string],
  ) => QuantizationScales["weights"][string],
): QuantizationScales["weights"] {
  return Object.fromEntries(Object.entries(weights).map(([name, scale]) => [name, change(name, scale)]));
}
