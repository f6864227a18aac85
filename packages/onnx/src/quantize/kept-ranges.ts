import type { ActivationHistogram } from "./activation-histogram.ts";
import { HISTOGRAM_BINS } from "./activation-histogram.ts";
import { chooseRange, DEFAULT_PERCENTILE, type ActivationRange } from "./activation-range.ts";
import type { CalibrationMethod, QuantizationScale, QuantizationScales } from "./options.ts";
import { scaleOf } from "./quantize-tensor.ts";

/** The range of each activation, as a method chooses it: all that "int8-static" needs of a calibration. */
export function chosenRanges(
  histograms: ReadonlyMap<string, ActivationHistogram>,
  {
    method = "min-max",
    percentile = DEFAULT_PERCENTILE,
  }: {
    readonly method?: CalibrationMethod;
    readonly percentile?: number;
  } = {},
): ReadonlyMap<string, ActivationRange> {
  return new Map(
    Array.from(histograms, ([name, histogram]) => [name, chooseRange(histogram, method, percentile)]),
  );
}

/**
 * Values that even shares of what was seen lie below, from the least to the largest: `shares` + 1 of them, as fine as the bins are. Where
 * nothing was seen, zeros.
 */
export function quantilesOf(histogram: ActivationHistogram, shares = 16): readonly number[] {
  const { counts, limit, min, max } = histogram;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const width = (2 * limit) / HISTOGRAM_BINS;
  let [seen, bin] = [0, 0];
  return Array.from({ length: shares + 1 }, (_, share) => {
    const wanted = (total * share) / shares;
    while (bin < HISTOGRAM_BINS - 1 && (counts[bin] === 0 || seen + counts[bin]! < wanted))
      seen += counts[bin++]!;
    // Zeros have a bin of their own, nearly: those behind a Relu, and the background of pictures.
    const within = bin === HISTOGRAM_BINS / 2 || counts[bin] === 0 ? 0 : (wanted - seen) / counts[bin]!;
    return total === 0 ? 0 : Math.min(max, Math.max(min, (bin + within) * width - limit));
  });
}

/** What a range may be beyond a scale's, as a share of that, and how little of it may be in use. */
const SLACK = 0.05;
const LEAST_USED = 0.5;

/**
 * The scales of activations for a next version: each stays as long as what was seen of it fits, neither beyond what it can express nor in
 * less than half of it, so that few bytes change.
 *
 * @param seen - ranges under the new weights
 */
export function keptActivations(
  frozen: QuantizationScales["activations"],
  seen: ReadonlyMap<string, ActivationRange>,
): QuantizationScales["activations"] {
  return Object.fromEntries(
    Object.entries(frozen).map(([name, scale]) => {
      const range = seen.get(name);
      return [name, range === undefined || fits(scale, range) ? scale : scaleFor(range)];
    }),
  );
}

const LEVELS = 255;

function fits({ scales, zeroPoints }: QuantizationScale, { min, max }: ActivationRange): boolean {
  const [step = 0, zero = 0] = [scales[0], zeroPoints[0]];
  const [low, span] = [-zero * step, LEVELS * step];
  const isWithin = min >= low - SLACK * span && max <= low + span + SLACK * span;
  return isWithin && max - min >= LEAST_USED * span;
}

function scaleFor(range: ActivationRange): QuantizationScale {
  const { scale, zeroPoint } = scaleOf(range, { type: "uint8", symmetric: false });
  return { scales: [scale], zeroPoints: [zeroPoint] };
}
