import type { Engine } from "@tributary/engine";
import { sampleFeeds } from "@tributary/engine/sample-feeds";
import { expectedOutputs, SELF_CHECK_TOLERANCE, type ExpectedOutput } from "@tributary/engine/self-check";
import { bindWeights, onnxRegions } from "@tributary/onnx";
import type { SelfCheck } from "@tributary/protocol";
import {
  dequantizeParameters,
  encodeDelta,
  safetensorsRegions,
  type ParameterSet,
  type QuantizedStep,
} from "@tributary/tensor";
import type { ModelRecord } from "../ports/model-records.ts";

/** What is derived of a version's files and takes long where they are large: in whichever thread. */
export type Derivation = DeltaDerivation | SelfCheckDerivation;

/** What turns one file into another. */
export interface DeltaDerivation {
  readonly type: "delta";
  readonly base: Uint8Array;
  readonly next: Uint8Array;
  readonly layout: "safetensors" | "onnx";
  /** Of float32 weights, by parameter. */
  readonly steps?: ReadonlyMap<string, QuantizedStep> | undefined;
}

/** What a version answers on one row. */
export interface SelfCheckDerivation extends Pick<ModelRecord, "format" | "inputs"> {
  readonly type: "self-check";
  readonly graph: Uint8Array;
  readonly parameters: ParameterSet;
  readonly int8: Uint8Array;
  readonly seed: string;
}

export interface Derived {
  /** Undefined where the whole file is the delta. */
  readonly delta: Uint8Array<ArrayBuffer> | undefined;
  /** Null where the model answers with nothing that can be compared. */
  readonly "self-check": SelfCheck | null;
}

export async function derive<Job extends Derivation>(job: Job): Promise<Derived[Job["type"]]> {
  const derived = job.type === "delta" ? deltaOf(job) : await selfCheckOf(job);
  return derived as Derived[Job["type"]];
}

function deltaOf({ base, next, layout, steps }: DeltaDerivation): Derived["delta"] {
  return encodeDelta(base, next, layout === "onnx" ? onnxRegions(next) : safetensorsRegions(next, steps));
}

/** Loaded with the first version: who derives none needs no engine. */
let onnxEngine: Promise<Engine> | undefined;
let tfjsEngine: Promise<Engine> | undefined;

function engineFor(format: ModelRecord["format"]): Promise<Engine> {
  return format === "tfjs"
    ? (tfjsEngine ??= import("@tributary/engine/tfjs-node").then(({ openInstalledTfjs }) =>
        openInstalledTfjs(),
      ))
    : (onnxEngine ??= import("@tributary/engine/ort-node").then(({ createOrtNodeEngine }) =>
        createOrtNodeEngine(),
      ));
}

/** As it runs on devices: with float32 weights, and with those that came as int8. */
async function selfCheckOf(job: SelfCheckDerivation): Promise<SelfCheck | null> {
  const { format, inputs, graph, parameters, int8, seed } = job;
  const engine = await engineFor(format);
  const bind = format === "tfjs" ? (await import("@tributary/engine/tfjs-artifact")).bindTfjs : bindWeights;
  const feeds = sampleFeeds(inputs, seed);
  const answerOf = async (weights: ParameterSet): Promise<readonly ExpectedOutput[] | undefined> => {
    await using session = await engine.load(bind(graph, weights));
    return expectedOutputs(await session.run(feeds));
  };
  const float32 = await answerOf(parameters);
  const quantized = await answerOf(dequantizeParameters(parameters.schema, int8));
  if (float32 === undefined || quantized === undefined) return null;
  return { seed, tolerance: SELF_CHECK_TOLERANCE, float32, int8: quantized };
}
