import { toFailure, type Env } from "@tributary/core";
import type { SelfCheck } from "@tributary/protocol";
import type { ParameterSet } from "@tributary/tensor";
import type { ModelRecord } from "../ports/model-records.ts";
import { deriveApart } from "./derive-apart.ts";

/**
 * Runs a version on one row and keeps what it answers, as it runs on devices: with float32 weights, and with those that came as int8.
 * Null where there is nothing to compare: a model that answers with no float32 numbers, or that cannot be run on such a row, which is
 * said in the log.
 */
export async function makeSelfCheck(
  log: Pick<Env["log"], "warn">,
  { name, format, inputs }: Pick<ModelRecord, "name" | "format" | "inputs">,
  files: { readonly graph: Uint8Array; readonly parameters: ParameterSet; readonly int8: Uint8Array },
  seed: string,
): Promise<SelfCheck | null> {
  const { graph, int8 } = files;
  const { schema, values } = files.parameters;
  try {
    const parameters = { schema, values };
    return await deriveApart({ type: "self-check", format, inputs, graph, parameters, int8, seed });
  } catch (error) {
    log.warn("registry: a version has no self-check, it cannot be run on one row of random inputs", {
      model: name,
      error: toFailure(error),
    });
    return null;
  }
}
