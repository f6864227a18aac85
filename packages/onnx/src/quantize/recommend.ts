import type { ModelDescription } from "../describe-model.ts";
import type { QuantizationScheme } from "./options.ts";

export type InferenceEngine = "ort-wasm" | "ort-webgpu" | "ort-node";

export interface SchemeMeasurement {
  /** Bytes, by those of float32. */
  readonly size: number;
  /** Time of one example, by that of float32, at one thread. */
  readonly wasm: number;
  readonly node: number;
  /** Whether onnxruntime's WebGPU backend keeps every node on the GPU. */
  readonly staysOnGpu: boolean;
}

/**
 * Measured on a convolutional network of 1.66 million parameters (6.65 MB), onnxruntime 1.30. "int8-weights" and
 * "float16" are folded to float32 at load; for int8-weights that takes the session option disable_quant_qdq.
 */
export const SCHEME_MEASUREMENTS: Readonly<Record<QuantizationScheme, SchemeMeasurement>> = {
  float16: { size: 0.5, wasm: 0.96, node: 0.99, staysOnGpu: true },
  "int8-weights": { size: 0.25, wasm: 1.05, node: 0.99, staysOnGpu: true },
  "int8-dynamic": { size: 0.25, wasm: 0.7, node: 0.85, staysOnGpu: false },
  "int8-static": { size: 0.25, wasm: 0.68, node: 0.44, staysOnGpu: false },
  "int4-weights": { size: 0.16, wasm: 4, node: 1.14, staysOnGpu: true },
};

export interface Recommendation {
  readonly scheme: QuantizationScheme;
  readonly reason: string;
  /** Session configuration entries of onnxruntime that the scheme needs to be fast. */
  readonly sessionConfig: Readonly<Record<string, string>>;
  /** The scheme to take where calibration examples are missing, or bytes matter more than time. */
  readonly alternatives: readonly { readonly scheme: QuantizationScheme; readonly when: string }[];
}

const FOLD = { "session.disable_quant_qdq": "1" } as const;

/** Which scheme to use for a model on an engine, and why. */
export function recommend(model: Pick<ModelDescription, "ops">, engine: InferenceEngine): Recommendation {
  const { ops } = model;
  const dense = (ops["MatMul"] ?? 0) + (ops["Gemm"] ?? 0);
  const convolutions = ops["Conv"] ?? 0;
  const table = SCHEME_MEASUREMENTS;
  if (engine === "ort-webgpu") {
    const scheme = dense > convolutions ? "int4-weights" : "float16";
    const why =
      scheme === "int4-weights"
        ? `dense layers dominate, and MatMulNBits reads 4-bit weights on the GPU at ${table[scheme].size} of the size`
        : `convolutions dominate; float16 weights are folded at load, at ${table[scheme].size} of the size and no cost in time`;
    return {
      scheme,
      reason: `${why}; integer activations (int8-static, int8-dynamic) would leave the GPU at every layer`,
      sessionConfig: {},
      alternatives: [
        { scheme: "int8-weights", when: "the download should be smaller and may be folded at load" },
      ],
    };
  }
  const column = engine === "ort-node" ? "node" : "wasm";
  if (dense + convolutions === 0) {
    return {
      scheme: "float16",
      reason: "the model has no Conv, Gemm or MatMul, which are what integer kernels speed up",
      sessionConfig: {},
      alternatives: [
        { scheme: "int8-weights", when: "the download should be smaller and may be folded at load" },
      ],
    };
  }
  if (convolutions === 0) return forDenseLayers(column);
  return {
    scheme: "int8-static",
    reason: `the fastest on this engine: ${table["int8-static"][column]} of float32's time at ${table["int8-static"].size} of its size`,
    sessionConfig: {},
    alternatives: [
      {
        scheme: "int8-dynamic",
        when: `there are no calibration examples (${table["int8-dynamic"][column]} of the time)`,
      },
      {
        scheme: "int8-weights",
        when: `accuracy matters more than time; load with ${Object.keys(FOLD)[0]}=1, else one example takes 3.8 times as long`,
      },
      {
        scheme: "int4-weights",
        when: `bytes matter most (${table["int4-weights"].size} of the size, slower)`,
      },
    ],
  };
}

/** Measured on one example of the FedAvg paper's 2NN, where reading the weights takes longer than multiplying. */
function forDenseLayers(column: "wasm" | "node"): Recommendation {
  if (column === "node") {
    return {
      scheme: "int8-dynamic",
      reason:
        "one example through dense layers takes 0.6 to 0.75 of float32's time on this engine, at 0.25 of its size",
      sessionConfig: {},
      alternatives: [{ scheme: "int8-static", when: "ranges must not depend on the input" }],
    };
  }
  return {
    scheme: "int8-weights",
    reason:
      "0.25 of the size, and no cost in time once folded at load; with integer activations one example through dense layers takes 1.3 (int8-dynamic) to 1.5 times as long",
    sessionConfig: FOLD,
    alternatives: [{ scheme: "float16", when: "session options cannot be set; it is folded in any case" }],
  };
}
