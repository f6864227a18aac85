/** Loaded when a device that has a version looks for the next: how few bytes make it of what is there. */
import { toFailure, type Env } from "@tributary/core";
import { parseDeltaPath, parseVersionFile } from "@tributary/protocol";
import { applyDelta } from "@tributary/tensor";
import type { TargetFile } from "@tributary/tuf";
import type { InstalledFile } from "../store/device-store.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";

/** Most deltas that are applied one after the other: each is a request, and a pass over the file. */
export const MAX_DELTAS = 8;
/** What a request costs beside the bytes that are signed for, as bytes. */
const REQUEST_BYTES = 1_000;

/** How a file is made of one that is here. */
export interface DeltaRoute {
  readonly base: InstalledFile;
  /** In the order in which they are applied. */
  readonly deltas: readonly TargetFile[];
  /** Of all deltas. */
  readonly sizeBytes: number;
}

/**
 * The cheapest way by the sizes that verified metadata names: over one delta or several, from any of the files that are here. Undefined
 * where the whole file is cheaper, or there is no way.
 */
export function cheapestRoute(
  wanted: TargetFile,
  held: readonly InstalledFile[],
  release: {
    readonly paths: () => Iterable<string>;
    readonly find: (path: string) => TargetFile | undefined;
  },
): DeltaRoute | undefined {
  const file = parseVersionFile(wanted.path);
  if (file === undefined) return undefined;
  const bases = new Map<number, InstalledFile>();
  for (const each of held) {
    const base = parseVersionFile(each.target);
    // A delta never changes a file's length.
    if (base?.folder === file.folder && base.name === file.name && each.sizeBytes === wanted.length)
      bases.set(base.version, each);
  }
  if (bases.size === 0) return undefined;
  const into = deltasByVersion(file, release);
  let best: DeltaRoute | undefined;
  let bestCost = wanted.length + REQUEST_BYTES;
  // Backwards from what is wanted, one delta more each time: the cheapest way to it from every version.
  let reached = new Map<number, Pick<DeltaRoute, "deltas" | "sizeBytes">>([
    [file.version, { deltas: [], sizeBytes: 0 }],
  ]);
  for (let count = 1; count <= MAX_DELTAS && reached.size > 0; count++) {
    const next: typeof reached = new Map();
    for (const [version, way] of reached) {
      for (const { from, delta } of into.get(version) ?? []) {
        const sizeBytes = way.sizeBytes + delta.length;
        if (sizeBytes >= (next.get(from)?.sizeBytes ?? wanted.length)) continue;
        next.set(from, { deltas: [delta, ...way.deltas], sizeBytes });
      }
    }
    for (const [version, way] of next) {
      const base = bases.get(version);
      const cost = way.sizeBytes + count * REQUEST_BYTES;
      if (base === undefined || cost >= bestCost) continue;
      best = { base, ...way };
      bestCost = cost;
    }
    reached = next;
  }
  return best;
}

/** Deltas of one file of a model's versions, by the version that they make. */
function deltasByVersion(
  { folder, name }: { readonly folder: string; readonly name: string },
  { paths, find }: Parameters<typeof cheapestRoute>[2],
): ReadonlyMap<number, readonly { readonly from: number; readonly delta: TargetFile }[]> {
  const into = new Map<number, { readonly from: number; readonly delta: TargetFile }[]>();
  for (const path of paths()) {
    const parsed = path.startsWith(folder) ? parseDeltaPath(path) : undefined;
    if (parsed?.name !== name) continue;
    const delta = find(path);
    if (delta === undefined) continue;
    const known = into.get(parsed.version);
    if (known === undefined) into.set(parsed.version, [{ from: parsed.from, delta }]);
    else known.push({ from: parsed.from, delta });
  }
  return into;
}

/**
 * Downloads the deltas and applies them. The caller compares the digest; undefined where the base is damaged, or a delta cannot be had
 * or applied: then the whole file has to come.
 */
export async function patched(
  { base, deltas, sizeBytes }: DeltaRoute,
  options: {
    readonly blobs: Pick<BlobFetcher, "cached" | "fetch">;
    readonly env: Pick<Env, "log">;
    readonly signal?: AbortSignal | undefined;
    readonly onProgress: (receivedBytes: number, totalBytes: number) => void;
  },
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { blobs, env, signal, onProgress } = options;
  try {
    const start = await blobs.cached(base.digest);
    if (start === undefined) return undefined;
    const received = deltas.map(() => 0);
    const parts = await Promise.all(
      deltas.map(({ sha256: digest, length }, i) =>
        blobs.fetch({
          digest,
          sizeBytes: length,
          keep: false,
          signal,
          onProgress(bytes) {
            received[i] = bytes;
            onProgress(
              received.reduce((sum, each) => sum + each, 0),
              sizeBytes,
            );
          },
        }),
      ),
    );
    return parts.reduce(applyDelta, start);
  } catch (error) {
    signal?.throwIfAborted();
    env.log.warn("an update by deltas did not work; the whole file is downloaded", {
      target: deltas.at(-1)?.path,
      error: toFailure(error),
    });
    return undefined;
  }
}
