import { VARIANT_NAMES, type VariantForm } from "@tributary/protocol";
import { InvalidArgumentError, Option } from "commander";

/** `--variants int8-dynamic`: forms that are derived of each version, of which a device runs the fastest. */
export function variantsOption(): Option {
  return new Option(
    "--variants <names>",
    `forms to derive of each version, with commas between them (${VARIANT_NAMES.join(", ")}): devices run the fastest that agrees`,
  ).argParser((text: string): readonly VariantForm[] =>
    text.split(",").map((word) => {
      const name = VARIANT_NAMES.find((known) => known === word.trim());
      if (name !== undefined) return name;
      throw new InvalidArgumentError(`variants are ${VARIANT_NAMES.join(", ")}; got "${word}"`);
    }),
  );
}
