/** Loaded when a device that has a version looks for the next: how few bytes make it of what is there. */
import { toFailure, type Env } from "@tributary/core";
import { MAX_DELTAS, parseDeltaPath, parseVersionFile, type VersionFile } from "@tributary/protocol";
import { patchFile } from "@tributary/tensor";
import type { TargetFile } from "@tributary/tuf";
import type { InstalledFile } from "../store/device-store.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";

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
 * Paths of the deltas that lie on any way from what is here to a target, of those that the release names; empty where there is none.
 */
export function deltasBetween(
  wanted: string,
  held: readonly InstalledFile[],
  names: Iterable<string>,
): readonly string[] {
  const file = parseVersionFile(wanted);
  if (file === undefined) return [];
  const edges = Array.from(names).flatMap((path) => {
    const parsed = path.startsWith(file.folder) ? parseDeltaPath(path) : undefined;
    return parsed?.name === file.name ? [{ path, from: parsed.from, to: parsed.version }] : [];
  });
  const backwards = edges.map(({ from, to }) => ({ from: to, to: from }));
  const ahead = reachable(edges, [...basesOf(file, held).keys()]);
  const behind = reachable(backwards, [file.version]);
  return edges.filter(({ from, to }) => ahead.has(from) && behind.has(to)).map(({ path }) => path);
}

/** Whether one of the names is a delta to a target from what is here. */
export function hasDirectDelta(
  wanted: string,
  held: readonly InstalledFile[],
  names: readonly string[],
): boolean {
  const file = parseVersionFile(wanted);
  if (file === undefined) return false;
  const bases = basesOf(file, held);
  return names.some((path) => {
    const parsed = path.startsWith(file.folder) ? parseDeltaPath(path) : undefined;
    return parsed?.name === file.name && parsed.version === file.version && bases.has(parsed.from);
  });
}

/** Versions that one gets to from these, in as many steps as are allowed. */
function reachable(
  edges: readonly { readonly from: number; readonly to: number }[],
  start: readonly number[],
): ReadonlySet<number> {
  const reached = new Set(start);
  for (let step = 0; step < MAX_DELTAS; step++) {
    const next = edges.filter(({ from, to }) => reached.has(from) && !reached.has(to)).map(({ to }) => to);
    if (next.length === 0) break;
    for (const version of next) reached.add(version);
  }
  return reached;
}

/** What is here of the same file in other versions. */
function basesOf({ folder, name }: VersionFile, held: readonly InstalledFile[]): Map<number, InstalledFile> {
  return new Map(
    held.flatMap((each) => {
      const base = parseVersionFile(each.target);
      return base?.folder === folder && base.name === name ? [[base.version, each] as const] : [];
    }),
  );
}

/**
 * The cheapest way by the sizes that verified metadata names: over one delta or several, from any of the files that are here. Undefined
 * where the whole file is cheaper, or there is no way.
 *
 * @param deltas - those of `deltasBetween`; undefined: gone meanwhile
 */
export function cheapestRoute(
  wanted: TargetFile,
  held: readonly InstalledFile[],
  deltas: readonly (TargetFile | undefined)[],
): DeltaRoute | undefined {
  const file = parseVersionFile(wanted.path);
  if (file === undefined) return undefined;
  const bases = basesOf(file, held);
  const into = new Map<number, { readonly from: number; readonly delta: TargetFile }[]>();
  for (const delta of deltas) {
    const parsed = delta && parseDeltaPath(delta.path);
    if (delta === undefined || parsed === undefined) continue;
    const edge = { from: parsed.from, delta };
    into.set(parsed.version, [...(into.get(parsed.version) ?? []), edge]);
  }
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
      // A delta never changes a file's length.
      if (base?.sizeBytes !== wanted.length || cost >= bestCost) continue;
      best = { base, ...way };
      bestCost = cost;
    }
    reached = next;
  }
  return best;
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
    // Our own copy, which becomes the file.
    const file = await blobs.cached(base.digest);
    if (file === undefined) return undefined;
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
    for (const delta of parts) patchFile(file, delta);
    return file;
  } catch (error) {
    signal?.throwIfAborted();
    env.log.warn("an update by deltas did not work; the whole file is downloaded", {
      target: deltas.at(-1)?.path,
      error: toFailure(error),
    });
    return undefined;
  }
}
