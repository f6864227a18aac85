import { failure } from "@tributary/core";
import type { ModelManifest } from "@tributary/protocol";
import { elementCount } from "@tributary/tensor";
import type { ModelVariant } from "../runtime.ts";
import type { InstalledFile, InstalledModel } from "../store/device-store.ts";

/** The files that a device needs of a version, and what it makes of them. */
export interface VersionFiles {
  readonly graph: InstalledFile;
  readonly weights: InstalledFile;
}

/** Paths of a version's graph and weights, as its manifest names them. */
export function basePaths({ graph, weights }: ModelManifest, variant: ModelVariant): readonly string[] {
  return [graph.target, (variant === "float32" ? weights.float32 : weights.int8).target];
}

/** Whether there are other forms that the app lets a device choose from. */
export function hasForms({ variants }: ModelManifest, variant: ModelVariant): boolean {
  return variant === "auto" && variants !== undefined;
}

/** Whether what is installed of this version will do. */
export function isInstalled(
  { files }: InstalledModel,
  manifest: ModelManifest,
  variant: ModelVariant,
): boolean {
  const installed = new Set(files.map(({ target }) => target));
  // With "auto" exact weights that are here already are as good as others.
  const accepted: readonly ModelVariant[] = variant === "auto" ? ["auto", "float32"] : [variant];
  return accepted.some((each) => basePaths(manifest, each).every((path) => installed.has(path)));
}

/** @throws `store/corrupt` where a record lists too few */
export function versionFiles(
  { model, version }: ModelManifest,
  files: readonly InstalledFile[],
): VersionFiles {
  const [graph, weights] = files;
  if (graph === undefined || weights === undefined) {
    throw failure("store/corrupt", `model ${model}: version ${version} lists no files`);
  }
  return { graph, weights };
}

/** Which weights these files hold. */
export function variantOf(
  { weights }: ModelManifest,
  files: readonly InstalledFile[],
): "float32" | "int8-weights" {
  return files[1]?.target === weights.float32.target ? "float32" : "int8-weights";
}

/** What a version needs in memory: its files, and its weights as float32. */
export function loadedBytes({ parameters }: ModelManifest, files: readonly InstalledFile[]): number {
  const weights = parameters.reduce((sum, { shape }) => sum + 4 * elementCount(shape), 0);
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, weights);
}
