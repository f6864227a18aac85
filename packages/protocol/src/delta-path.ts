/** Most deltas that are applied one after the other: each is a request, and a pass over the file. */
export const MAX_DELTAS = 8;

/**
 * Where the delta lies that makes a version's file of the same file of version `from`: beside the file. That it is there is all that has
 * to be said of it, and both are signed for: metadata names its length, and the digest of what it makes.
 */
export function deltaPath(target: string, from: number): string {
  return `${target}.from-${from}.delta`;
}

const VERSION_FILE = /^(models\/[^/]+\/versions\/)(\d+)\/([^/]+)$/;
const DELTA = /^(.+)\.from-(\d+)\.delta$/;

/** A file of a model's version, by its path. */
export interface VersionFile {
  /** Of the model's versions. */
  readonly folder: string;
  readonly version: number;
  readonly name: string;
}

export function parseVersionFile(path: string): VersionFile | undefined {
  const [match, folder = "", version, name = ""] = VERSION_FILE.exec(path) ?? [];
  return match === undefined ? undefined : { folder, version: Number(version), name };
}

/** The file that a delta makes, and the version that it is made from. */
export function parseDeltaPath(path: string): (VersionFile & { readonly from: number }) | undefined {
  const [match, target = "", from] = DELTA.exec(path) ?? [];
  const file = match === undefined ? undefined : parseVersionFile(target);
  return file && { ...file, from: Number(from) };
}
