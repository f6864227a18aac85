import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { failure } from "@tributary/core";
import { maskCount, splitUnmaskWork, type UnmaskWork } from "@tributary/secagg";
import type { UnmaskAnswer, UnmaskJob } from "./unmask-messages.ts";

export interface UnmaskRequest {
  readonly signal: AbortSignal;
  /** From 0 to 1. */
  readonly onProgress: (share: number) => void;
}

/** Expands the masks that stand between a masked sum and the sum, beside the event loop. */
export interface Unmasker {
  /**
   * One sum for each part of the work. The secrets in the work are overwritten.
   *
   * @throws `round/aggregation-failed`; the signal's reason
   */
  unmask(work: UnmaskWork, request: UnmaskRequest): Promise<Uint32Array<ArrayBuffer>[]>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Masks that are worth a thread of their own. */
const MASKS_PER_THREAD = 64;

/** Threads are started when they are needed, and kept for the next cohort. */
export function createUnmasker({ maxThreads = defaultThreads() }: { maxThreads?: number } = {}): Unmasker {
  const idle: Worker[] = [];
  const all = new Set<Worker>();
  let closed = false;

  const start = (): Worker => {
    const source = import.meta.url.endsWith(".ts");
    const worker = new Worker(
      new URL(source ? "./unmask-worker.ts" : "./unmask-worker.js", import.meta.url),
      {
        name: "unmask",
        ...(source ? { execArgv: ["--conditions=@tributary/source"] } : {}),
      },
    );
    all.add(worker);
    worker.unref();
    worker.once("exit", () => {
      all.delete(worker);
      const place = idle.indexOf(worker);
      if (place >= 0) idle.splice(place, 1);
    });
    // A thread that fails while it has nothing to do is gone; its exit has been noted.
    worker.on("error", () => undefined);
    return worker;
  };

  const runPart = async (
    part: UnmaskWork,
    { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (done: number) => void },
  ): Promise<Uint32Array<ArrayBuffer>> => {
    const worker = idle.pop() ?? start();
    try {
      const sum = await sumIn(worker, part, signal, onProgress);
      if (!closed) idle.push(worker);
      return sum;
    } catch (error) {
      // It may still be at work for a cohort that nobody wants any more.
      void worker.terminate();
      throw error;
    }
  };

  return {
    async unmask(work, { signal, onProgress }) {
      if (closed) throw failure("core/closed", "unmasker: closed");
      const total = maskCount(work);
      const threads = Math.max(1, Math.min(maxThreads, Math.ceil(total / MASKS_PER_THREAD)));
      const parts = splitUnmaskWork(work, threads);
      const done = parts.map(() => 0);
      return Promise.all(
        parts.map((part, i) =>
          runPart(part, {
            signal,
            onProgress(masks) {
              done[i] = masks;
              onProgress(done.reduce((sum, each) => sum + each, 0) / total);
            },
          }),
        ),
      );
    },
    async close() {
      closed = true;
      await Promise.all([...all].map((worker) => worker.terminate()));
    },
  };
}

function sumIn(
  worker: Worker,
  part: UnmaskJob,
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<Uint32Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const onMessage = (answer: UnmaskAnswer): void => {
      if (answer.type === "progress") return onProgress(answer.done);
      if (answer.type === "sum") return settle(() => resolve(answer.sum));
      settle(() => reject(failure("round/aggregation-failed", `unmasker: ${answer.message}`)));
    };
    const onGone = (cause: unknown): void =>
      settle(() => reject(failure("round/aggregation-failed", "unmasker: its thread ended", { cause })));
    const onAbort = (): void => settle(() => reject(signal.reason as Error));
    const settle = (run: () => void): void => {
      worker.off("message", onMessage).off("error", onGone).off("exit", onGone);
      signal.removeEventListener("abort", onAbort);
      run();
    };
    if (signal.aborted) return reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    worker.on("message", onMessage).on("error", onGone).on("exit", onGone);
    worker.postMessage(part);
    // The thread has its own copies.
    for (const item of part.items) (item.type === "self" ? item.seed : item.maskSecret).fill(0);
  });
}

function defaultThreads(): number {
  return Math.max(1, Math.min(8, availableParallelism() - 1));
}
