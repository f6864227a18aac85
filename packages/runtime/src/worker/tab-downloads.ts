/** One tab downloads, by a Web Lock, and tells the others how far it is, by a BroadcastChannel. */
import { throwIfAborted, type Clock, type Digest } from "@tributary/core";
import type { SharedDownloads } from "../updater/shared-downloads.ts";

export interface TabDownloadsOptions {
  readonly locks: Pick<LockManager, "request">;
  /** Name of the store. */
  readonly scope: string;
  readonly clock: Pick<Clock, "schedule">;
}

/** How often a tab that waits asks the one that downloads how far it is. */
const ASK_INTERVAL_MS = 10_000;
/** A tab that the browser froze keeps its lock and answers nothing: after so many questions another one downloads by itself. */
const MAX_UNANSWERED = 3;

type Message =
  | { readonly kind: "question"; readonly digest: Digest }
  | { readonly kind: "progress"; readonly digest: Digest; readonly receivedBytes: number };

export function tabDownloads({ locks, scope, clock }: TabDownloadsOptions): SharedDownloads {
  const channel = new BroadcastChannel(`${scope} downloads`);
  const lockOf = (digest: Digest): string => `${scope} downloads ${digest}`;
  const post = (message: Message): void => channel.postMessage(message);
  /** Bytes received here of what this tab downloads. */
  const own = new Map<Digest, number>();

  channel.addEventListener("message", ({ data }: MessageEvent<Message>) => {
    const receivedBytes = own.get(data.digest);
    if (data.kind === "question" && receivedBytes !== undefined) {
      post({ kind: "progress", digest: data.digest, receivedBytes });
    }
  });

  const download = async <T>(
    digest: Digest,
    work: (report: (receivedBytes: number) => void) => Promise<T>,
  ): Promise<T> => {
    const report = (receivedBytes: number): void => {
      own.set(digest, receivedBytes);
      post({ kind: "progress", digest, receivedBytes });
    };
    own.set(digest, 0);
    try {
      return await work(report);
    } finally {
      own.delete(digest);
    }
  };

  /** Ends with the lock, or without it where who has it is silent. */
  const waitForTurn = async <T>(
    digest: Digest,
    { signal, onProgress }: Parameters<SharedDownloads["inTurn"]>[1],
    work: () => Promise<T>,
  ): Promise<T> => {
    const waiting = new AbortController();
    const giveUp = (): void => waiting.abort(signal?.reason);
    let unanswered = 0;
    let timer: { cancel(): void } | undefined;
    const ask = (): void => {
      if (unanswered++ === MAX_UNANSWERED) return waiting.abort();
      post({ kind: "question", digest });
      timer = clock.schedule(ASK_INTERVAL_MS, ask);
    };
    const hear = ({ data }: MessageEvent<Message>): void => {
      if (data.digest !== digest || data.kind !== "progress") return;
      unanswered = 0;
      onProgress?.(data.receivedBytes);
    };
    const end = (): void => {
      timer?.cancel();
      channel.removeEventListener("message", hear);
      signal?.removeEventListener("abort", giveUp);
    };
    channel.addEventListener("message", hear);
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      throwIfAborted(signal);
      ask();
      return (await locks.request(lockOf(digest), { signal: waiting.signal }, () => {
        end();
        return work();
      })) as T;
    } catch (error) {
      const isSilent = waiting.signal.aborted && signal?.aborted !== true;
      if (!isSilent || error !== waiting.signal.reason) throw error;
      return await work();
    } finally {
      end();
    }
  };

  return {
    async inTurn(digest, options, work) {
      const none = Symbol("another tab downloads it");
      const first = await locks.request(lockOf(digest), { ifAvailable: true }, (lock) =>
        lock === null ? none : download(digest, (report) => work(false, report)),
      );
      if (first !== none) return first as Awaited<ReturnType<typeof work>>;
      return await waitForTurn(digest, options, () => download(digest, (report) => work(true, report)));
    },
  };
}
