import { toFailure, type Env } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import { sampleFeeds } from "@tributary/engine/sample-feeds";
import { expectedOutputs, SELF_CHECK_TOLERANCE, type ExpectedOutput } from "@tributary/engine/self-check";
import { bindWeights } from "@tributary/onnx";
import type { SelfCheck } from "@tributary/protocol";
import { dequantizeParameters, type ParameterSet } from "@tributary/tensor";
import type { ModelRecord } from "../ports/records.ts";

/** Loaded with the first version: a coordinator that publishes none needs no engine. */
let engine: Promise<Engine> | undefined;
const nodeEngine = (): Promise<Engine> =>
  (engine ??= import("@tributary/engine/ort-node").then(({ createOrtNodeEngine }) => createOrtNodeEngine()));

/**
 * Runs a version on one row and keeps what it answers, as it runs on devices: with float32 weights, and with those that came as int8.
 * Null where there is nothing to compare: a model that is not ONNX, that answers with no float32 numbers, or that cannot be run on such
 * a row, which is said in the log.
 */
export async function makeSelfCheck(
  log: Pick<Env["log"], "warn">,
  { name, format, inputs }: Pick<ModelRecord, "name" | "format" | "inputs">,
  files: { readonly graph: Uint8Array; readonly parameters: ParameterSet; readonly int8: Uint8Array },
  seed: string,
): Promise<SelfCheck | null> {
  if (format !== "onnx") return null;
  const { graph, parameters, int8 } = files;
  const feeds = sampleFeeds(inputs, seed);
  const answerOf = async (weights: ParameterSet): Promise<readonly ExpectedOutput[] | undefined> => {
    await using session = await (await nodeEngine()).load(bindWeights(graph, weights));
    return expectedOutputs(await session.run(feeds));
  };
  try {
    const float32 = await answerOf(parameters);
    const quantized = await answerOf(dequantizeParameters(parameters.schema, int8));
    if (float32 === undefined || quantized === undefined) return null;
    return { seed, tolerance: SELF_CHECK_TOLERANCE, float32, int8: quantized };
  } catch (error) {
    log.warn("registry: a version has no self-check, it cannot be run on one row of random inputs", {
      model: name,
      error: toFailure(error),
    });
    return null;
  }
}
