import type { Tensor } from "@tributary/tensor";
import type { ActivationHistogram } from "./activation-histogram.ts";
import type { ActivationRange } from "./activation-range.ts";

export type QuantizationScheme = "float16" | "int8-weights" | "int8-dynamic" | "int8-static" | "int4-weights";

export const QUANTIZATION_SCHEMES: readonly QuantizationScheme[] = [
  "float16",
  "int8-weights",
  "int8-dynamic",
  "int8-static",
  "int4-weights",
];

/**
 * Runs a model once, all outputs. The same `model` object comes with every example, so a session may be
 * kept per object (a WeakMap does).
 */
export type RunModel = (
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
) => Promise<Readonly<Record<string, Tensor>>>;

/** How a range is chosen from what was seen: all of it, the one that loses least information, or without outliers. */
export type CalibrationMethod = "min-max" | "entropy" | "percentile";

interface RangeChoice {
  /** Default "min-max". */
  readonly method?: CalibrationMethod;
  /** For "percentile": the share of values kept, in (50, 100]; default 99.99. */
  readonly percentile?: number;
}

/** Examples to run, histograms of activations that were gathered elsewhere, or the ranges that were chosen of these. */
export type Calibration = RangeChoice &
  (
    | { readonly run: RunModel; readonly examples: readonly Readonly<Record<string, Tensor>>[] }
    | { readonly histograms: ReadonlyMap<string, ActivationHistogram> }
    | { readonly ranges: ReadonlyMap<string, ActivationRange> }
  );

/** Scale and zero point of one tensor: one element, or one per channel (or block). */
export interface QuantizationScale {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
}

/** What a version was quantized with, by the names of the float model; JSON-safe. */
export interface QuantizationScales {
  readonly scheme: QuantizationScheme;
  readonly weights: Readonly<Record<string, QuantizationScale>>;
  readonly activations: Readonly<Record<string, QuantizationScale>>;
}

export interface QuantizeOptions {
  readonly scheme: QuantizationScheme;
  /** Needed by "int8-static" unless `frozenScales` brings the ranges. */
  readonly calibration?: Calibration;
  /**
   * A scale for each output channel of a weight; by default where it makes the weight's error a third smaller. With
   * "int4-weights" scales are for blocks of a channel, and false is refused.
   */
  readonly perChannel?: boolean;
  /**
   * int8: weights and activations in ranges around zero (true) or fitted to their values (false); by default weights
   * around zero and activations fitted. With "int8-static", true stores int8 weights in 7 bits, what integer kernels
   * of every machine multiply exactly; else weights are uint8 around 128, which costs no bit. int4: blocks around zero
   * (default), or with a zero point each (false), which makes files 2 % larger.
   */
  readonly symmetric?: boolean;
  /** Names of nodes, or of weights, that stay float32. */
  readonly exclude?: readonly string[];
  /** Scales of an earlier version, so that the bytes of this one differ in few places. */
  readonly frozenScales?: QuantizationScales;
  /** Largest relative L2 error of a weight under frozen scales; default 0.02 (int8), 0.2 (int4). */
  readonly errorLimit?: number;
  /** Shifts biases by the mean error that rounding the weights makes ("int8-static"); default true. */
  readonly biasCorrection?: boolean;
  /** "int4-weights": MatMulNBits (com.microsoft; default), or standard DequantizeLinear of operator set 21. */
  readonly int4Form?: "matmul-nbits" | "dequantize-linear";
  /** "float16": weights alone (default), or with the arithmetic, for engines that have it. */
  readonly float16Form?: "weights" | "arithmetic";
}

/** How well one weight came through. */
export interface WeightReport {
  readonly name: string;
  /** ‖quantized − weight‖ / ‖weight‖ */
  readonly relativeError: number;
  /** Share of elements, 0 to 1, that lie outside of what the scale can express. */
  readonly saturatedShare: number;
}

/** Whether the next version may still use these scales. */
export interface ChainAdvice {
  readonly startNewChain: boolean;
  /** Empty where the chain may go on. */
  readonly reasons: readonly string[];
}

export interface QuantizedModel {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly scheme: QuantizationScheme;
  readonly scales: QuantizationScales;
  readonly weights: readonly WeightReport[];
  readonly chain: ChainAdvice;
}
