import { failure } from "@tributary/core";

/** Key of the metadata entry that says which adapters a model has; merging and adding again read it. */
export const ADAPTERS_KEY = "tributary.adapters";

/** One adapter: y = base + scaling * (what B makes of what A makes of x). */
export interface AdapterEntry {
  /** Initializer of the adapted operator. */
  readonly weight: string;
  readonly a: string;
  readonly b: string;
  /** alpha / rank */
  readonly scaling: number;
  /** A stays as it is (FFA-LoRA). */
  readonly frozenA: boolean;
}

/** What training an adapted model changes, in the adapters' order. */
export function trainedFactors(entries: readonly AdapterEntry[]): string[] {
  return entries.flatMap(({ a, b, frozenA }) => (frozenA ? [b] : [a, b]));
}

/** The scalar constant that an adapter of a MatMul or Conv is multiplied with. */
export function scaleName({ weight }: AdapterEntry): string {
  return `${weight}.lora_scale`;
}

const BASE = ".lora_base";

/** Values beside the output of an adapted node, which keeps its name as the sum. */
export function adapterValues(output: string) {
  return {
    /** What the node itself makes. */
    base: `${output}${BASE}`,
    hidden: `${output}.lora_hidden`,
    part: `${output}.lora_part`,
    scaled: `${output}.lora_scaled`,
  };
}

/** The adapted output of whose node this is the own part; undefined for any other value. */
export function outputOfBase(value: string): string | undefined {
  return value.endsWith(BASE) ? value.slice(0, -BASE.length) : undefined;
}

export function writeAdapterList(entries: readonly AdapterEntry[]): string {
  return JSON.stringify(
    entries.map(({ weight, a, b, scaling, frozenA }) => [weight, a, b, scaling, frozenA]),
  );
}

/** Errors: `onnx/invalid-model`. */
export function readAdapterList(text: string): AdapterEntry[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (cause) {
    throw failure("onnx/invalid-model", `onnx: metadata ${ADAPTERS_KEY} is not JSON`, { cause });
  }
  if (!Array.isArray(list))
    throw failure("onnx/invalid-model", `onnx: metadata ${ADAPTERS_KEY} is not a list`);
  return list.map((entry: unknown): AdapterEntry => {
    const [weight, a, b, scaling, frozenA] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (
      typeof weight !== "string" ||
      typeof a !== "string" ||
      typeof b !== "string" ||
      !(typeof scaling === "number" && Number.isFinite(scaling)) ||
      typeof frozenA !== "boolean"
    ) {
      throw failure(
        "onnx/invalid-model",
        `onnx: metadata ${ADAPTERS_KEY}: an entry is not [weight, a, b, scaling, frozenA]`,
      );
    }
    return { weight, a, b, scaling, frozenA };
  });
}
