import { bindTfjs } from "@tributary/engine/tfjs-artifact";
import { encodeUtf8, failure, sha256 } from "@tributary/core";
import { bindWeights } from "@tributary/onnx";
import type { ExportedFile, ExportedRole, ExportedVersion, FileRef, VersionStep } from "@tributary/protocol";
import { parametersFromSafetensors } from "@tributary/tensor";
import type { VersionSource } from "./version-download.ts";

/** A file as it is written. */
export interface FileOfExport {
  readonly path: string;
  readonly role: ExportedRole;
  readonly bytes: Uint8Array;
}

export const STEP_PATH = "step/step.json";

/**
 * The files of a version, one after the other: the whole model as others run it, the one in training mode that makes the same version when it
 * is published, weights and their derived forms, its card, and where asked for what its step is taken with.
 *
 * @throws as `download`; `cli/nothing-to-reproduce` for steps that nobody can take
 */
export async function* exportedFiles(
  { files, download, card }: VersionSource,
  { withStates = false }: { readonly withStates?: boolean } = {},
): AsyncGenerator<FileOfExport> {
  if (withStates && files.step === null) {
    const { model, version } = files.version;
    const why = files.missing.map((each) => `${each.what} ${each.why}`).join(", ");
    throw failure(
      "cli/nothing-to-reproduce",
      `export: how version ${version} of ${model} came about is not known (${why}); leave --with-states out`,
      { detail: { model, version } },
    );
  }
  const weights = await download(files.weights);
  const parameters = parametersFromSafetensors(files.parameters, weights);
  const whole = async (graph: FileRef): Promise<Uint8Array> =>
    (files.format === "tfjs" ? bindTfjs : bindWeights)(await download(graph), parameters);
  yield { path: `model.${files.format}`, role: "model", bytes: await whole(files.graph) };
  if (files.trainingGraph !== null)
    yield { path: "training.onnx", role: "training-model", bytes: await whole(files.trainingGraph) };
  yield { path: "weights.safetensors", role: "weights", bytes: weights };
  yield { path: "weights.int8.safetensors", role: "int8-weights", bytes: await download(files.int8) };
  for (const { name, ...file } of files.variants)
    yield { path: `variants/${name}.onnx`, role: "variant", bytes: await download(file) };
  const { json, markdown } = await card();
  yield { path: "card.json", role: "card", bytes: encodeUtf8(`${json}\n`) };
  yield { path: "card.md", role: "card", bytes: encodeUtf8(markdown) };
  if (withStates && files.step !== null) yield* stepFiles(files.step, download);
}

async function* stepFiles(
  step: VersionStep,
  download: VersionSource["download"],
): AsyncGenerator<FileOfExport> {
  yield { path: STEP_PATH, role: "step", bytes: encodeUtf8(`${JSON.stringify(step, undefined, 2)}\n`) };
  const { plan, graph, parent, aggregate, before } = step;
  const sources: [string, FileRef | null | undefined][] = [
    ["plan.json", plan],
    ["graph.onnx", graph],
    ["parent.safetensors", parent.weights],
    ["parent.int8.safetensors", parent.int8],
    ["aggregate.safetensors", aggregate],
    ["optimizer.safetensors", before?.state],
    ["residual.safetensors", before?.residual],
  ];
  for (const [name, file] of sources)
    if (file) yield { path: `step/${name}`, role: "step-source", bytes: await download(file) };
}

/** Where a file is, by its digest. */
export function describeFile({ path, role, bytes }: FileOfExport): ExportedFile {
  return { path, role, digest: sha256(bytes), sizeBytes: bytes.length };
}

/** What `manifest.json` says. */
export function exportManifest(
  { files: source }: Pick<VersionSource, "files">,
  files: readonly ExportedFile[],
): Uint8Array<ArrayBuffer> {
  const { version, format, inputs, outputs, labels, processing } = source;
  const manifest = {
    kind: "tributary-version",
    formatVersion: 1,
    version,
    format,
    inputs,
    outputs,
    labels,
    processing,
    files,
  } satisfies Readonly<Record<keyof ExportedVersion, unknown>>;
  return encodeUtf8(`${JSON.stringify(manifest, undefined, 2)}\n`);
}
