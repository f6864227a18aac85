import { elementBytes } from "../dtype.ts";
import { readSafetensorsHeader } from "../safetensors-header.ts";
import type { DeltaRegion } from "./encode-delta.ts";
import type { QuantizedStep } from "./quantized-step.ts";

/**
 * The tensors of a safetensors file, for `encodeDelta`.
 *
 * @param steps - of float32 tensors, by name
 * @throws `safetensors/*`
 */
export function safetensorsRegions(
  file: Uint8Array,
  steps: ReadonlyMap<string, QuantizedStep> = new Map(),
): readonly DeltaRegion[] {
  const { entries } = readSafetensorsHeader(file);
  return entries
    .toSorted((a, b) => a.begin - b.begin)
    .map(({ name, dtype, begin, end }) => {
      const bytes = elementBytes(dtype);
      const step = dtype === "float32" ? steps.get(name) : undefined;
      // Of eight bytes the halves are taken apart.
      return { begin, end, elementBytes: bytes === 8 ? 4 : (bytes as 1 | 2 | 4), ...(step && { step }) };
    });
}
