import { VARIANT_NAMES, type VariantForm } from "@tributary/protocol";
import { InvalidArgumentError, Option, type Command } from "commander";
import { list, numberBetween } from "../arguments.ts";
import type { CalibrationOptions } from "./with-calibration.ts";

/** Which forms are derived of each version, and what they are made with. */
export interface VariantsOptions extends CalibrationOptions {
  readonly variants?: readonly VariantForm[];
}

/** `--variants int8-dynamic,float16`: forms that are derived of each version, of which a device runs the fastest that its engine can use. */
export function addVariantsOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--variants <names>",
        `forms to derive of each version, with commas between them (${VARIANT_NAMES.join(", ")}): devices fetch those for their engine, and run the fastest that agrees`,
      ).argParser(parseVariants),
    )
    .option(
      "--calibration <file>",
      "for int8-static: examples as `tributary quantize` takes them; they stay here, the ranges that they make are published",
    )
    .option(
      "--histograms <files>",
      "for int8-static, in place of --calibration: what `tributary histograms` gathered; several are added up",
      list,
    )
    .addOption(
      new Option("--method <method>", "for int8-static: how ranges are chosen")
        .choices(["min-max", "entropy", "percentile"])
        .default("min-max"),
    )
    .addOption(
      new Option("--percentile <p>", "share of values kept by --method percentile")
        .argParser(numberBetween(50, 100))
        .default(99.99),
    );
}

function parseVariants(text: string): readonly VariantForm[] {
  return text.split(",").map((word) => {
    const name = VARIANT_NAMES.find((known) => known === word.trim());
    if (name !== undefined) return name;
    throw new InvalidArgumentError(`variants are ${VARIANT_NAMES.join(", ")}; got "${word}"`);
  });
}
