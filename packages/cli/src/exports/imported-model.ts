import { splitTfjs } from "@tributary/engine/tfjs-artifact";
import { failure, sha256 } from "@tributary/core";
import { splitWeights } from "@tributary/onnx";
import type { ExportedFile, ExportedRole } from "@tributary/protocol";
import { parametersToSafetensors, readSafetensors, type ParameterSet } from "@tributary/tensor";
import type { ExportedFolder } from "./read-exported.ts";

/** What of an exported version is published: the file that it was published as, or would have been. */
export interface ImportedModel {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of the weights that it has to make. */
  readonly weights: ExportedFile;
}

/**
 * Reads an exported version to be published again: all its files are verified, and the model has the weights that lie beside it.
 *
 * @throws `cli/invalid-export`, `onnx/*`, `engine/invalid-artifact`, `safetensors/*`
 */
export async function importedModel(exported: ExportedFolder): Promise<ImportedModel> {
  const { files, format } = exported.manifest;
  const only = (role: ExportedRole): ExportedFile | undefined => {
    const [first, ...more] = files.filter((file) => file.role === role);
    if (more.length === 0) return first;
    throw failure("cli/invalid-export", `import: manifest.json names ${more.length + 1} files as ${role}`);
  };
  const model = only("training-model") ?? only("model");
  const weights = only("weights");
  if (model === undefined || weights === undefined)
    throw failure(
      "cli/invalid-export",
      `import: manifest.json names no ${model === undefined ? "model" : "weights"}`,
    );
  // All of them: what lies beside a model that is believed should be what it says, too.
  for (const file of files) if (file !== model && file !== weights) await exported.read(file);
  const bytes = await exported.read(model);
  const names = [...readSafetensors(await exported.read(weights)).tensors.keys()];
  const found = (format === "tfjs" ? [splitTfjs(bytes)] : splits(bytes, names)).map(({ parameters }) =>
    sha256(parametersToSafetensors(parameters)),
  );
  if (!found.includes(weights.digest))
    throw failure(
      "cli/invalid-export",
      `import: the weights in ${model.path} are not those of ${weights.path}; one of them is of another version`,
      { detail: { expected: weights.digest, got: found[0] ?? "" } },
    );
  return { bytes, weights };
}

/** As it would be published anew, and with the parameters that a model of before has. */
function splits(bytes: Uint8Array, names: readonly string[]): { readonly parameters: ParameterSet }[] {
  const whole = splitWeights(bytes);
  const known = new Set(whole.parameters.schema.map(({ name }) => name));
  return names.length < known.size && names.every((name) => known.has(name))
    ? [whole, splitWeights(bytes, names)]
    : [whole];
}
