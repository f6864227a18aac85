import {
  recommend,
  type CalibrationMethod,
  type InferenceEngine,
  type ModelDescription,
  type QuantizationScheme,
  type QuantizeOptions,
} from "@tributary/onnx";
import { Option, type Command } from "commander";
import { list, numberBetween } from "../arguments.ts";

/** How `tributary quantize` was asked to quantize. */
export interface QuantizeFlags {
  readonly scheme: QuantizationScheme | "auto";
  readonly engine: InferenceEngine;
  readonly perChannel?: boolean;
  readonly symmetric?: boolean;
  readonly asymmetric?: boolean;
  readonly exclude: readonly string[];
  readonly method: CalibrationMethod;
  readonly percentile: number;
}

/** The options that choose a scheme and its settings. */
export function addQuantizeFlags(command: Command, schemes: readonly QuantizationScheme[]): Command {
  return command
    .addOption(
      new Option("--scheme <scheme>", "auto: what is recommended for the engine")
        .choices(["auto", ...schemes])
        .default("auto"),
    )
    .addOption(
      new Option("--engine <engine>", "what the model will run on, for auto")
        .choices(["ort-wasm", "ort-webgpu", "ort-node"])
        .default("ort-wasm"),
    )
    .option("--per-channel", "a scale for each output channel (default: where it pays)")
    .option("--no-per-channel", "one scale for each weight")
    .addOption(new Option("--symmetric", "ranges around zero").conflicts("asymmetric"))
    .addOption(new Option("--asymmetric", "ranges fitted to the values"))
    .option("--exclude <names>", "nodes or weights that stay float32; several with commas", list, [])
    .addOption(
      new Option("--method <method>", "how int8-static chooses ranges")
        .choices(["min-max", "entropy", "percentile"])
        .default("min-max"),
    )
    .addOption(
      new Option("--percentile <p>", "share of values kept by --method percentile")
        .argParser(numberBetween(50, 100))
        .default(99.99),
    );
}

/** The settings for `quantize`, without scheme and calibration. */
export function settingsOf({
  perChannel,
  symmetric,
  asymmetric,
  exclude,
}: QuantizeFlags): Omit<QuantizeOptions, "scheme" | "calibration"> {
  const around = symmetric === true ? true : asymmetric === true ? false : undefined;
  return {
    exclude,
    ...(perChannel === undefined ? {} : { perChannel }),
    ...(around === undefined ? {} : { symmetric: around }),
  };
}

export interface ChosenScheme {
  readonly scheme: QuantizationScheme;
  /** Of `auto`: why this one, and what the engine has to be told. */
  readonly reason?: string;
  readonly sessionConfig: Readonly<Record<string, string>>;
}

/** The scheme asked for, or the recommended one as far as there are ranges for it. */
export function chooseScheme(
  { scheme, engine }: Pick<QuantizeFlags, "scheme" | "engine">,
  description: Pick<ModelDescription, "ops">,
  hasRanges: boolean,
): ChosenScheme {
  const advice = recommend(description, engine);
  const folded = { "session.disable_quant_qdq": "1" };
  if (scheme !== "auto") return { scheme, sessionConfig: scheme === "int8-weights" ? folded : {} };
  if (advice.scheme !== "int8-static" || hasRanges) {
    return { scheme: advice.scheme, reason: advice.reason, sessionConfig: advice.sessionConfig };
  }
  return {
    scheme: "int8-weights",
    reason: `int8-static would be ${advice.reason}, but needs --calibration, --histograms or --frozen-scales; int8-weights needs none`,
    sessionConfig: folded,
  };
}
