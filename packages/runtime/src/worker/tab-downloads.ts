/** One tab downloads, by a Web Lock, and tells the others how far it is, by a BroadcastChannel. */
import { throwIfAborted, type Clock, type Digest } from "@tributary/core";
import type { SharedDownloads } from "../updater/shared-downloads.ts";

export interface TabDownloadsOptions {
  readonly locks: Pick<LockManager, "request">;
  /** Name of the store. */
  readonly scope: string;
  readonly clock: Pick<Clock, "schedule">;
}

/**
 * How long a tab that downloads may say nothing before another one downloads by itself: longer than a download may receive
 * nothing. A tab that the browser froze keeps its lock.
 */
const SILENCE_MS = 45_000;

interface Progress {
  readonly digest: Digest;
  readonly receivedBytes: number;
}

export function tabDownloads({ locks, scope, clock }: TabDownloadsOptions): SharedDownloads {
  const channel = new BroadcastChannel(`${scope} downloads`);
  const lockOf = (digest: Digest): string => `${scope} downloads ${digest}`;
  const report = (digest: Digest) => (receivedBytes: number) =>
    channel.postMessage({ digest, receivedBytes } satisfies Progress);

  /** Ends with the lock, or without it where who has it is silent. */
  const waitForTurn = async <T>(
    digest: Digest,
    { signal, onProgress }: Parameters<SharedDownloads["inTurn"]>[1],
    work: () => Promise<T>,
  ): Promise<T> => {
    const waiting = new AbortController();
    const giveUp = (): void => waiting.abort(signal?.reason);
    signal?.addEventListener("abort", giveUp, { once: true });
    let silent = false;
    let timer: { cancel(): void } | undefined;
    const listen = (): void => {
      timer?.cancel();
      timer = clock.schedule(SILENCE_MS, () => {
        silent = true;
        waiting.abort();
      });
    };
    const hear = ({ data }: MessageEvent<Progress>): void => {
      if (data.digest !== digest) return;
      listen();
      onProgress?.(data.receivedBytes);
    };
    const end = (): void => {
      timer?.cancel();
      channel.removeEventListener("message", hear);
      signal?.removeEventListener("abort", giveUp);
    };
    channel.addEventListener("message", hear);
    listen();
    try {
      throwIfAborted(signal);
      return (await locks.request(lockOf(digest), { signal: waiting.signal }, () => {
        end();
        return work();
      })) as T;
    } catch (error) {
      if (!silent || error !== waiting.signal.reason) throw error;
      return await work();
    } finally {
      end();
    }
  };

  return {
    async inTurn(digest, options, work) {
      const none = Symbol("another tab downloads it");
      const first = await locks.request(lockOf(digest), { ifAvailable: true }, (lock) =>
        lock === null ? none : work(false, report(digest)),
      );
      if (first !== none) return first as Awaited<ReturnType<typeof work>>;
      return await waitForTurn(digest, options, () => work(true, report(digest)));
    },
  };
}
