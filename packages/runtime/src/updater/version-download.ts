import type { VersionDownload } from "../diagnosis.ts";
import type { ModelProgress } from "../runtime.ts";
import type { InstalledFile } from "../store/device-store.ts";
import type { Releases } from "./releases.ts";

/** The files of one version, on their way to this device. */
export interface VersionFetch {
  /** How they came, so far. */
  readonly came: VersionDownload;
  /** Into the cache: by deltas from what is held, where these are smaller. */
  fetch(paths: readonly string[], signal: AbortSignal | undefined): Promise<readonly InstalledFile[]>;
}

export interface VersionFetchOptions {
  readonly releases: Pick<Releases, "target" | "fetchTarget">;
  /** Files of other versions that are here. */
  readonly held: readonly InstalledFile[];
  /** These are about to come. */
  readonly onBegin: (files: readonly InstalledFile[]) => void;
  readonly onProgress: (progress: Pick<ModelProgress, "receivedBytes" | "totalBytes" | "fullBytes">) => void;
}

export function fetchVersion({ releases, held, onBegin, onProgress }: VersionFetchOptions): VersionFetch {
  const came = { deltas: 0, sizeBytes: 0, fullBytes: 0 };
  /** By path: received and to come. */
  const progress = new Map<string, readonly [number, number]>();
  const total = (i: 0 | 1): number => [...progress.values()].reduce((sum, each) => sum + each[i], 0);
  return {
    came,
    async fetch(paths, signal) {
      const targets = await Promise.all(paths.map((path) => releases.target(path, signal)));
      const files = targets.map(({ path, sha256, length }) => ({
        target: path,
        digest: sha256,
        sizeBytes: length,
      }));
      onBegin(files);
      for (const { target, sizeBytes } of files) {
        progress.set(target, [0, sizeBytes]);
        came.fullBytes += sizeBytes;
      }
      const ways = paths.map((path) =>
        releases.fetchTarget(path, {
          signal,
          held,
          onProgress(received, whole) {
            progress.set(path, [received, whole]);
            onProgress({ receivedBytes: total(0), totalBytes: total(1), fullBytes: came.fullBytes });
          },
          onCame({ deltas, sizeBytes }) {
            came.deltas += deltas;
            came.sizeBytes += sizeBytes;
          },
        }),
      );
      await Promise.all(ways);
      return files;
    },
  };
}
