import { basename, dirname, join } from "node:path";
import { decodeUtf8, failure } from "@tributary/core";
import { readInput } from "../read-input.ts";

/**
 * A TensorFlow.js model as one file: its `model.json` with the weight files beside it. TensorFlow.js itself is loaded, to see what
 * goes into the model and what comes out.
 *
 * @param processing - JSON
 * @throws `cli/file`, `engine/unavailable` without @tensorflow/tfjs, `engine/invalid-artifact`
 */
export async function packTfjsFile(
  file: string,
  processing: Uint8Array | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const { packTfjs } = await loadTfjs();
  return await packTfjs({
    modelJson: await readInput(file),
    read(path) {
      if (basename(path) === path) return readInput(join(dirname(file), path));
      throw failure("engine/invalid-artifact", `tfjs: the weights "${path}" do not lie beside ${file}`);
    },
    ...(processing === undefined ? {} : { processing: decodeUtf8(processing) }),
  });
}

async function loadTfjs(): Promise<typeof import("@tributary/engine/tfjs")> {
  try {
    return await import("@tributary/engine/tfjs");
  } catch (cause) {
    throw failure("engine/unavailable", "tfjs: install @tensorflow/tfjs to publish models of it", { cause });
  }
}
