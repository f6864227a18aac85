import { abortable, failure, sha256, type Digest, type Env } from "@tributary/core";
import {
  ISSUER_TARGET,
  logHeadOf,
  parseIssuerDocument,
  parseMeasurementPlan,
  parseModelManifest,
  parsePlan,
  type IssuerDocument,
  type LogHead,
  type MeasurementPlan,
  type ModelManifest,
  type Plan,
} from "@tributary/protocol";
import { createTufClient, type TargetFile, type TufClient } from "@tributary/tuf";
import type { Exclusive } from "../device.ts";
import type { MetadataStore } from "../store/device-store.ts";
import type { HttpTransport } from "../transport/http.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";

export interface ReleasesOptions {
  /** The pinned TUF root, or where to get the first one with trust "first-use". */
  readonly trustedRoot: () => Promise<Uint8Array>;
  readonly store: MetadataStore;
  readonly http: Pick<HttpTransport, "metadata">;
  readonly blobs: BlobFetcher;
  readonly env: Env;
  /** Aborts when the device closes. */
  readonly closing: AbortSignal;
  /** A TUF store has one writer at a time. @defaultValue this device is the only one */
  readonly exclusive?: Exclusive | undefined;
}

export interface FetchTargetOptions {
  readonly signal?: AbortSignal | undefined;
  readonly keep?: boolean;
  readonly onProgress?: (receivedBytes: number) => void;
}

/** What a channel points to, as verified. */
export interface ModelRelease {
  readonly manifest: ModelManifest;
  readonly manifestBytes: Uint8Array;
  readonly manifestDigest: Digest;
}

/** A verified plan and the digest it was signed for with. */
export interface VerifiedPlan {
  readonly plan: Plan;
  readonly target: TargetFile;
}

/** A verified plan of measurements and the digest it was signed for with. */
export interface VerifiedMeasurementPlan {
  readonly plan: MeasurementPlan;
  readonly target: TargetFile;
}

/** Everything that was released, as far as verified metadata says so. Nothing else is run, nor trained. */
export interface Releases {
  /** Reads what was verified before, without network. False where there is nothing. */
  load(): Promise<boolean>;
  /** Brings the metadata up to date. Calls at the same time share one refresh. */
  refresh(signal?: AbortSignal): Promise<void>;
  /** Refreshes unless the metadata is at least this new. */
  atLeast(timestampVersion: number, signal?: AbortSignal): Promise<void>;
  /** @throws `tuf/target-missing` */
  target(path: string): TargetFile;
  fetchTarget(path: string, options?: FetchTargetOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** The release of a channel; `undefined` where the metadata knows no such model. */
  model(model: string, channel: string, signal?: AbortSignal): Promise<ModelRelease | undefined>;
  plan(path: string, signal?: AbortSignal): Promise<VerifiedPlan>;
  measurementPlan(path: string, signal?: AbortSignal): Promise<VerifiedMeasurementPlan>;
  /** Who vouches for the members of cohorts. @throws `tuf/target-missing` */
  issuer(signal?: AbortSignal): Promise<IssuerDocument>;
  /** The certificate log's head in the verified timestamp; `undefined` where there is none. */
  logHead(): LogHead | undefined;
  /** Paths of the newest plan of each task. */
  newestPlans(): readonly PlanPath[];
  /** Paths of the newest plan of measurements of each task that has one. */
  newestMeasurementPlans(): readonly PlanPath[];
}

export interface PlanPath {
  readonly task: string;
  readonly path: string;
}

const PLAN_PATH = /^plans\/([a-z0-9-]+)\/(\d+)\.json$/;
const MEASUREMENT_PLAN_PATH = /^measurements\/([a-z0-9-]+)\/(\d+)\.json$/;

export function createReleases(options: ReleasesOptions): Releases {
  const { store, http, blobs, env, closing, exclusive = (work) => work() } = options;
  let opened: Promise<TufClient> | undefined;
  let client: TufClient | undefined;
  let refreshing: Promise<void> | undefined;

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

  /** One refresh at a time, whoever asks; it ends with the device, not with who asked first. */
  const refresh = (): Promise<void> => {
    refreshing ??= (async () => {
      const tuf = await open();
      await exclusive(() => tuf.refresh({ signal: closing }), closing);
    })().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  };

  const target = (path: string): TargetFile => {
    const file = client?.target(path);
    if (file !== undefined) return file;
    throw failure("tuf/target-missing", `release: the verified metadata names no target "${path}"`, {
      detail: { path },
    });
  };

  const fetchTarget: Releases["fetchTarget"] = (path, { signal, keep, onProgress } = {}) => {
    const file = target(path);
    return blobs.fetch({
      digest: file.sha256,
      sizeBytes: file.length,
      signal,
      onProgress,
      ...(keep === undefined ? {} : { keep }),
    });
  };

  return {
    async load() {
      return await (await open()).load();
    },
    refresh: (signal) => abortable(refresh(), signal),
    async atLeast(timestampVersion, signal) {
      const tuf = await open();
      // A refresh that was under way may have begun before the release: only one of our own says the last word.
      for (let own = refreshing === undefined; tuf.timestampVersion < timestampVersion; own = true) {
        await abortable(refresh(), signal);
        if (own) break;
      }
      if (tuf.timestampVersion >= timestampVersion) return;
      throw failure(
        "tuf/rollback",
        `release: metadata ${timestampVersion} was announced, the repository serves ${tuf.timestampVersion}`,
        { detail: { announced: timestampVersion, served: tuf.timestampVersion } },
      );
    },
    target,
    fetchTarget,
    async model(model, channel, signal) {
      const path = `models/${model}/${channel}.json`;
      await open();
      if (client?.target(path) === undefined) return undefined;
      const bytes = await fetchTarget(path, { signal, keep: false });
      const manifest = parseModelManifest(bytes);
      if (manifest.model !== model || manifest.channel !== channel) {
        throw failure(
          "runtime/incompatible-release",
          `release: ${path} is the manifest of ${manifest.model}, channel ${manifest.channel}`,
        );
      }
      return { manifest, manifestBytes: bytes, manifestDigest: sha256(bytes) };
    },
    async plan(path, signal) {
      await open();
      const file = target(path);
      return { plan: parsePlan(await fetchTarget(path, { signal })), target: file };
    },
    async issuer(signal) {
      await open();
      return parseIssuerDocument(await fetchTarget(ISSUER_TARGET, { signal }));
    },
    logHead: () => logHeadOf(client?.timestampCustom),
    async measurementPlan(path, signal) {
      await open();
      const file = target(path);
      return { plan: parseMeasurementPlan(await fetchTarget(path, { signal })), target: file };
    },
    newestPlans: () => newestPaths(client?.targets().keys() ?? [], PLAN_PATH),
    newestMeasurementPlans: () => newestPaths(client?.targets().keys() ?? [], MEASUREMENT_PLAN_PATH),
  };
}

/** Of paths that name a task and a number, the highest number of each task. */
function newestPaths(paths: Iterable<string>, pattern: RegExp): readonly PlanPath[] {
  const newest = new Map<string, { path: string; number: number }>();
  for (const path of paths) {
    const match = pattern.exec(path);
    if (match === null) continue;
    const [, task = "", digits] = match;
    const number = Number(digits);
    if (number > (newest.get(task)?.number ?? -1)) newest.set(task, { path, number });
  }
  return [...newest].map(([task, { path }]) => ({ task, path }));
}
