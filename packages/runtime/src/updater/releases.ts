import { abortable, failure, type Digest, type Env } from "@tributary/core";
import { readModelManifest, rolloutPath, withdrawnPath, type ModelManifest } from "@tributary/protocol";
import { createTufClient, type TargetFile, type TufClient } from "@tributary/tuf";
import type { Exclusive } from "../device.ts";
import type { InstalledFile, InstalledVersion, MetadataStore } from "../store/device-store.ts";
import type { ReleaseHttp } from "../transport/release-http.ts";
import { isOffline } from "../transport/retry.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";
import { requireOwn } from "./require-own.ts";
import type { RolloutIdentity, Rollouts } from "./rollouts.ts";
import type { Standing } from "./standing.ts";
import { lazyPart } from "../lazy-part.ts";

export interface ReleasesOptions {
  /** The pinned TUF root, or where to get the first one with trust "first-use". */
  readonly trustedRoot: () => Promise<Uint8Array>;
  readonly store: MetadataStore;
  readonly http: Pick<ReleaseHttp, "metadata">;
  readonly blobs: BlobFetcher;
  readonly env: Env;
  /** Aborts when the device closes. */
  readonly closing: AbortSignal;
  /** A TUF store has one writer at a time. @defaultValue this device is the only one */
  readonly exclusive?: Exclusive | undefined;
  /** A release that the app ships. */
  readonly seed?: Pick<ReleaseHttp, "metadata"> | undefined;
  /** Which device this is, as rollouts draw. */
  readonly identity: RolloutIdentity;
}

export interface FetchTargetOptions {
  readonly signal?: AbortSignal | undefined;
  readonly keep?: boolean;
  /** Bytes received, of those that are to come: of deltas, while it comes by these. */
  readonly onProgress?: (receivedBytes: number, totalBytes: number) => void;
  /** Files of other versions that are here: where deltas from one of them are smaller than the target, these come instead. */
  readonly held?: readonly InstalledFile[] | undefined;
  /** How it came, once it is there. */
  readonly onCame?: (came: TargetDownload) => void;
}

/** How a target came to this device. */
export interface TargetDownload {
  /** That it was made with; 0 where the whole file came. */
  readonly deltas: number;
  /** What had to come: the size of the deltas or of the file, 0 where it was here. */
  readonly sizeBytes: number;
}

/** What this device is to run of a channel, as verified. */
export interface ModelRelease {
  readonly manifest: ModelManifest;
  readonly manifestBytes: Uint8Array;
  readonly manifestDigest: Digest;
  /** Where there is more to say than what the channel points to. */
  readonly standing?: Standing;
}

/** A manifest that is here. */
export type HeldManifest = Pick<InstalledVersion, "manifest" | "manifestDigest">;

/** Everything that was released, as far as verified metadata says so. Nothing else is run, nor trained. */
export interface Releases {
  /** Reads what was verified before, without network. False where there is nothing. */
  load(): Promise<boolean>;
  /**
   * Verifies the metadata that the app ships, of a model with it, and keeps it, where none was verified before. False where there is
   * none, or there is something newer.
   */
  adoptSeed(model: string): Promise<boolean>;
  /** Brings the metadata up to date. Calls at the same time share one refresh. */
  refresh(signal?: AbortSignal): Promise<void>;
  /** Refreshes unless the metadata is at least this new. */
  atLeast(timestampVersion: number, signal?: AbortSignal): Promise<void>;
  /** A target, where the verified metadata has it, also that of delegated roles. */
  find(path: string, signal?: AbortSignal): Promise<TargetFile | undefined>;
  /** @throws `tuf/target-missing` */
  target(path: string, signal?: AbortSignal): Promise<TargetFile>;
  fetchTarget(path: string, options?: FetchTargetOptions): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * The release of a channel, or of the rollout's arm that this device belongs to; `undefined` where the metadata knows no such model.
   *
   * @param held - is not fetched
   */
  model(
    model: string,
    channel: string,
    signal?: AbortSignal,
    held?: readonly HeldManifest[],
  ): Promise<ModelRelease | undefined>;
  /** Models that the metadata says who signs for. */
  models(): readonly string[];
  /** What those roles name that are asked for a path. */
  namesBeside(
    path: string,
    signal?: AbortSignal,
    isEnough?: (names: readonly string[]) => boolean,
  ): Promise<readonly string[]>;
  /** What the repository put into the verified timestamp beside TUF's own fields. */
  timestampCustom(): unknown;
}

/** Only a device that has a version and looks for another one loads it. */
const deltaDownloads = lazyPart("delta downloads", () => import("./delta-download.ts"));

/** Only a device whose models are rolled out, or were withdrawn, loads it. */
const rolloutDocuments = lazyPart("rollouts", () => import("./rollouts.ts"));

const MODEL_PATH = /^models\/([a-z0-9-]+)\//;

function manifestTargets(manifest: ModelManifest): string[] {
  const { graph, weights, variants = [], explanation, personalisation } = manifest;
  const named = [graph, weights.float32, weights.int8, ...variants, explanation, personalisation];
  return named.flatMap((each) => each?.target ?? []);
}

function asOptions(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

export function createReleases(options: ReleasesOptions): Releases {
  const { store, http, blobs, env, closing, exclusive = (work) => work() } = options;
  let opened: Promise<TufClient> | undefined;
  let client: TufClient | undefined;
  let refreshing: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let rollouts: Rollouts | undefined;

  const open = (): Promise<TufClient> => {
    opened ??= (async () => {
      client = createTufClient({
        trustedRoot: await options.trustedRoot(),
        store,
        fetcher: { metadata: (fileName, request) => http.metadata(fileName, request) },
        clock: env.clock,
      });
      return client;
    })().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };

  /** It ends with the device, not with who asked first. */
  const begin = (): Promise<void> => {
    refreshing = (async () => {
      const tuf = await open();
      await exclusive(() => tuf.refresh({ signal: closing }), closing);
    })().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };
  /** One at a time, and one that began after it was asked for: the one under way may have read what was there before. */
  const refresh = (): Promise<void> => {
    if (next !== undefined) return next;
    if (refreshing === undefined) return begin();
    next = refreshing
      .catch(() => undefined) // told to who asked for it
      .then(() => {
        next = undefined;
        return begin();
      });
    return next;
  };

  /** What the top-level role signs itself needs no search. */
  const find: Releases["find"] = async (path, signal) =>
    client?.target(path) ?? (await client?.find(path, asOptions(signal)));

  const namesBeside: Releases["namesBeside"] = async (path, signal, isEnough) =>
    (await client?.namesBeside(path, { ...asOptions(signal), isEnough })) ?? [];

  const target: Releases["target"] = async (path, signal) => {
    const file = await find(path, signal);
    if (file !== undefined) return file;
    throw failure("tuf/target-missing", `release: the verified metadata names no target "${path}"`, {
      detail: { path },
    });
  };

  const fetchTarget: Releases["fetchTarget"] = async (path, options = {}) => {
    const { signal, keep, onProgress = () => undefined, held = [], onCame } = options;
    const file = await target(path, signal);
    const { length } = file;
    // Where the part cannot be loaded, or the names of deltas (a static folder has none), whole files come as ever.
    const part = held.length === 0 ? undefined : await deltaDownloads.load().catch(() => undefined);
    // Another role's metadata costs more than a cheaper way than one delta saves.
    const isEnough = (names: readonly string[]): boolean => part!.hasDirectDelta(path, held, names);
    const names = part === undefined ? [] : await namesBeside(path, signal, isEnough).catch(() => []);
    const deltas = await Promise.all(
      part?.deltasBetween(path, held, names).map((each) => find(each, signal)) ?? [],
    );
    const route = part?.cheapestRoute(file, held, deltas);
    return await blobs.fetch({
      digest: file.sha256,
      sizeBytes: length,
      signal,
      onProgress: (receivedBytes) => onProgress(receivedBytes, length),
      ...(keep === undefined ? {} : { keep }),
      patch: route && (async () => await part?.patched(route, { blobs, env, signal, onProgress })),
      onSource(source) {
        if (source === "patch") onCame?.({ deltas: route!.deltas.length, sizeBytes: route!.sizeBytes });
        else onCame?.({ deltas: 0, sizeBytes: source === "here" ? 0 : length });
      },
    });
  };

  return {
    async load() {
      return await (await open()).load();
    },
    async adoptSeed(model) {
      const { seed } = options;
      if (seed === undefined) return false;
      const { verifiedSeed } = await import("./seed-metadata.ts");
      const trustedRoot = await options.trustedRoot();
      const shipped = await verifiedSeed({ trustedRoot, seed, model, clock: env.clock }).catch(
        (error: unknown) => {
          // The app's own server is away too: then there is none.
          if (isOffline(error)) return undefined;
          throw error;
        },
      );
      if (shipped === undefined) return false;
      const tuf = await open();
      return await exclusive(async () => {
        // What another model's seed left is the same release, without the files of this one.
        if ((await tuf.load()) && tuf.timestampVersion !== shipped.timestampVersion) return false;
        for (const [role, bytes] of shipped.files) await store.write(role, bytes);
        return await tuf.load();
      }, closing);
    },
    refresh: (signal) => abortable(refresh(), signal),
    async atLeast(timestampVersion, signal) {
      const tuf = await open();
      if (tuf.timestampVersion < timestampVersion && refreshing !== undefined) {
        await abortable(refreshing, signal);
      }
      // One that was under way may have begun before the release: only one of our own says the last word.
      if (tuf.timestampVersion < timestampVersion) await abortable(refresh(), signal);
      if (tuf.timestampVersion >= timestampVersion) return;
      throw failure(
        "tuf/rollback",
        `release: metadata ${timestampVersion} was announced, the repository serves ${tuf.timestampVersion}`,
        { detail: { announced: timestampVersion, served: tuf.timestampVersion } },
      );
    },
    find,
    target,
    fetchTarget,
    async model(model, channel, signal, held = []) {
      await open();
      const [named, rollout, withdrawn] = await Promise.all(
        [`models/${model}/${channel}.json`, rolloutPath(model, channel), withdrawnPath(model)].map((path) =>
          find(path, signal),
        ),
      );
      if (named === undefined) return undefined;
      const read = async (arm?: {
        readonly version: number;
        readonly manifest: { readonly target: string };
      }) => {
        const path = arm?.manifest.target ?? named.path;
        const { sha256: manifestDigest } = arm === undefined ? named : await target(path, signal);
        const here = held.find((each) => each.manifestDigest === manifestDigest);
        const manifestBytes = here?.manifest ?? (await fetchTarget(path, { signal, keep: false }));
        const manifest = await readModelManifest(manifestBytes);
        const { model: of, channel: at, version } = manifest;
        if (of !== model || at !== channel || (arm !== undefined && arm.version !== version)) {
          throw failure(
            "runtime/incompatible-release",
            `release: ${path} is the manifest of ${of}, channel ${at}, version ${version}`,
          );
        }
        requireOwn(of, manifestTargets(manifest));
        return { manifest, manifestBytes, manifestDigest };
      };
      if (rollout === undefined && withdrawn === undefined) return await read();
      rollouts ??= (await rolloutDocuments.load()).createRollouts({
        ...options.identity,
        fetch: (path, aborted) => fetchTarget(path, { signal: aborted, keep: false }),
        env,
        exclusive,
        closing,
      });
      return await rollouts.resolve({ model, channel, rollout, withdrawn, read, signal });
    },
    models() {
      const patterns = client?.delegations().flatMap(({ paths }) => {
        return paths.kind === "patterns" ? paths.patterns : [];
      });
      const named = [...(patterns ?? []), ...(client?.targets().keys() ?? [])];
      return [...new Set(named.flatMap((path) => MODEL_PATH.exec(path)?.[1] ?? []))];
    },
    namesBeside,
    timestampCustom: () => client?.timestampCustom,
  };
}
