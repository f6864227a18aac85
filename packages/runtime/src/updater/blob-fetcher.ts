import { abortable, concatBytes, digestOf, failure, toFailure, type Digest, type Env } from "@tributary/core";
import type { BlobCache } from "../store/device-store.ts";
import type { ReleaseHttp } from "../transport/release-http.ts";
import { withRetries } from "../transport/retry.ts";
import type { ModelSpace } from "./model-space.ts";
import type { SharedDownloads } from "./shared-downloads.ts";

export interface FetchBlobRequest {
  readonly digest: Digest;
  /** As signed for. */
  readonly sizeBytes: number;
  /** Keep it in the cache. Without it only an unfinished download is kept. @defaultValue true */
  readonly keep?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Tried before the whole blob is downloaded: what makes it of other bytes. Its result is not trusted. */
  readonly patch?: (() => Promise<Uint8Array<ArrayBuffer> | undefined>) | undefined;
  /** How it came, once it is there; `here`: it was, or another download brought it. */
  readonly onSource?: ((source: BlobSource) => void) | undefined;
  /** Bytes there so far, of `sizeBytes`. */
  readonly onProgress?: ((receivedBytes: number) => void) | undefined;
}

export type BlobSource = "here" | "patch" | "network";

/** Verified bytes by digest, from the cache or the network. */
export interface BlobFetcher {
  fetch(request: FetchBlobRequest): Promise<Uint8Array<ArrayBuffer>>;
  /** Verified bytes of the cache, without network, the caller's to change. A damaged copy is removed and counts as missing. */
  cached(digest: Digest): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Removes what is not needed; asked for each blob at the moment before its removal. */
  prune(isNeeded: (digest: Digest) => boolean): Promise<void>;
}

export interface BlobFetcherOptions {
  readonly cache: BlobCache;
  readonly http: Pick<ReleaseHttp, "blob">;
  readonly env: Env;
  /** Room in the cache is asked for before a download. @defaultValue there is always some */
  readonly space?: Pick<ModelSpace, "reserve" | "write"> | undefined;
  /** @defaultValue this device is the only one */
  readonly shared?: SharedDownloads | undefined;
}

/** Received bytes are kept for a resume in pieces of this size; a smaller blob is simply asked for again. */
const KEEP_EVERY_BYTES = 1024 * 1024;
/** Interruptions survived by one call; each goes on where the last ended. */
const ATTEMPTS = 6;

export function createBlobFetcher({ cache, http, env, space, shared }: BlobFetcherOptions): BlobFetcher {
  const underWay = new Map<Digest, Promise<Uint8Array<ArrayBuffer>>>();

  const cached = async (digest: Digest): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const bytes = await cache.read(digest);
    if (bytes === undefined || (await digestOf(bytes)) === digest) return bytes;
    env.log.warn("a cached blob is damaged; it is fetched again", { digest });
    await cache.delete(digest);
    return undefined;
  };

  const byPatch = async ({
    digest,
    sizeBytes,
    patch,
    keep = true,
    onSource,
  }: FetchBlobRequest): Promise<Uint8Array<ArrayBuffer> | undefined> => {
    const bytes = await patch?.();
    if (bytes === undefined) return undefined;
    if (bytes.length !== sizeBytes || (await digestOf(bytes)) !== digest) {
      env.log.warn("what was made of an earlier version is another file than signed for; it is downloaded", {
        digest,
      });
      return undefined;
    }
    if (keep) {
      await space?.reserve(sizeBytes);
      await (space ?? cache).write(digest, bytes);
    }
    onSource?.("patch");
    return bytes;
  };

  const download = async (request: FetchBlobRequest): Promise<Uint8Array<ArrayBuffer>> => {
    const { digest, sizeBytes, signal, onProgress } = request;
    const made = await byPatch(request);
    if (made !== undefined) return made;
    let received = (await cache.readPartial(digest)) ?? new Uint8Array(0);
    if (received.length > sizeBytes) received = new Uint8Array(0);
    const resumedBytes = received.length;
    const isKept = request.keep ?? true;
    if (isKept) await space?.reserve(sizeBytes - resumedBytes);
    let keptBytes = resumedBytes;
    let isResumable = true;
    let pending: Uint8Array[] = [];
    let length = received.length;
    const join = (): void => {
      received = concatBytes(received, ...pending);
      pending = [];
    };
    const keepForResume = async (): Promise<void> => {
      join();
      if (!isResumable || received.length - keptBytes < KEEP_EVERY_BYTES) return;
      try {
        await cache.appendPartial(digest, keptBytes, received.subarray(keptBytes));
        keptBytes = received.length;
      } catch (error) {
        // No room, or another tab that went on where this one was silent: the download itself does not need it.
        isResumable = false;
        env.log.warn("a download goes on without being kept for a resume", {
          digest,
          error: toFailure(error),
        });
      }
    };
    await withRetries({ env, signal, attempts: ATTEMPTS }, async () => {
      if (length === sizeBytes) return;
      try {
        for await (const { offset, bytes } of http.blob({ digest, sizeBytes, offset: length, signal })) {
          if (offset === 0 && length > 0) {
            // The server sent the whole blob although a range was asked for.
            received = new Uint8Array(0);
            pending = [];
            length = keptBytes = 0;
          }
          pending.push(bytes);
          length += bytes.length;
          onProgress?.(length);
          if (length - keptBytes >= KEEP_EVERY_BYTES && length < sizeBytes) await keepForResume();
        }
      } catch (error) {
        await keepForResume();
        throw error;
      }
    });
    join();
    const digestGot = await digestOf(received);
    if (digestGot !== digest) {
      await cache.deletePartial(digest);
      if (resumedBytes > 0) {
        env.log.warn("what was kept of a download is damaged; it begins anew", { digest });
        return await download({ ...request, patch: undefined });
      }
      throw failure(
        "transport/digest-mismatch",
        `blob ${digest}: the ${length} bytes received hash to ${digestGot}`,
        {
          detail: { digest },
        },
      );
    }
    if (isKept) await (space ?? cache).write(digest, received);
    else if (keptBytes > 0) await cache.deletePartial(digest);
    request.onSource?.("network");
    return received;
  };

  const downloadInTurn = async (request: FetchBlobRequest): Promise<Uint8Array<ArrayBuffer>> => {
    const { digest, onProgress } = request;
    if (shared === undefined) return await download(request);
    return await shared.inTurn(digest, request, async (waited, report) => {
      const known = waited ? await cached(digest) : undefined;
      if (known !== undefined) {
        request.onSource?.("here");
        onProgress?.(known.length);
        return known;
      }
      return await download({
        ...request,
        onProgress(receivedBytes) {
          onProgress?.(receivedBytes);
          report(receivedBytes);
        },
      });
    });
  };

  return {
    async fetch(request) {
      const { digest, sizeBytes, onProgress } = request;
      const known = await cached(digest);
      if (known !== undefined) {
        request.onSource?.("here");
        onProgress?.(known.length);
        return known;
      }
      request.signal?.throwIfAborted();
      // One download a digest; who joins it shares its fate, and tries by itself where the first was aborted.
      for (let joined = underWay.get(digest); joined !== undefined; joined = underWay.get(digest)) {
        const bytes = await abortable(
          joined.catch(() => undefined),
          request.signal,
        );
        if (bytes !== undefined) {
          request.onSource?.("here");
          onProgress?.(sizeBytes);
          return bytes;
        }
      }
      const own = downloadInTurn(request).finally(() => {
        if (underWay.get(digest) === own) underWay.delete(digest);
      });
      underWay.set(digest, own);
      return await own;
    },
    cached,
    async prune(isNeeded) {
      for (const { digest } of await cache.list()) {
        if (!isNeeded(digest)) await cache.delete(digest);
      }
      for (const { digest } of await cache.listPartials()) {
        if (!isNeeded(digest) && !underWay.has(digest)) await cache.deletePartial(digest);
      }
    },
  };
}
