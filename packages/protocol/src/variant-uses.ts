/** Forms of a version that are derived where it is published, beside its graph with float32 or int8 weights. */
export const VARIANT_NAMES = ["int8-dynamic", "int8-static", "float16"] as const;
export type VariantForm = (typeof VARIANT_NAMES)[number];

/** What a form is for: engines, and what they have to be able to. */
export interface VariantUse {
  readonly engines: readonly string[];
  /** Of a WebGPU adapter. */
  readonly features?: readonly string[];
}

const PROCESSORS: VariantUse = { engines: ["ort-wasm", "ort-node"] };

/** Integers are for processors; halves for GPUs that compute with them. */
export const VARIANT_USES: Readonly<Record<VariantForm, VariantUse>> = {
  "int8-dynamic": PROCESSORS,
  "int8-static": PROCESSORS,
  float16: { engines: ["ort-webgpu"], features: ["shader-f16"] },
};
