import { throwIfAborted, type Clock, type Timer } from "@tributary/core";
import type { Feeds, Outputs } from "@tributary/engine";
import { compareOutputs } from "@tributary/engine/compare";
import type { GraphPort } from "@tributary/protocol";
import type { CallDiagnosis } from "../diagnosis.ts";
import { areJoinable, batchRows, hasBatchDimension, joinFeeds, splitOutputs } from "./batch.ts";
import type { BatchingOptions } from "./batching.ts";

export interface InferenceQueueOptions {
  /** Runs a session once. Not called again before it has answered. */
  readonly run: (feeds: Feeds) => Promise<Outputs>;
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  /** Read before every run. */
  readonly batching: () => Required<BatchingOptions>;
  readonly clock: Pick<Clock, "monotonicMs" | "schedule">;
}

export interface QueueAnswer {
  readonly outputs: Outputs;
  /** Time in the engine, of all calls that shared the run. */
  readonly durationMs: number;
}

/** Whether calls share runs, and what the check of the first shared run said. */
export type BatchingState =
  /** An input or output has no free first dimension. */
  | "no-batch-dimension"
  /** No two calls have shared a run yet. */
  | "untried"
  | "agrees"
  /** The model answers a row otherwise when others are beside it: every call runs alone. */
  | "disagrees";

/**
 * Calls of one session, in the order of their arrival, one run at a time. Calls that wait together share a run where the
 * model has a batch dimension. The first such run is checked against one of its calls alone, because shapes do not tell
 * whether rows depend on each other: dynamically quantized models, for one, scale by the whole batch.
 */
export interface InferenceQueue {
  /** Rejects with `signal.reason`: a call that waits is taken out, of one that runs the answer is dropped. */
  run(feeds: Feeds, signal?: AbortSignal): Promise<QueueAnswer>;
  /** Resolves when no call waits or runs. */
  idle(): Promise<void>;
  readonly batching: BatchingState;
  diagnose(): CallDiagnosis;
}

/** Calls that the times of `diagnose()` look back on. */
const TIMES_KEPT = 512;

interface Call {
  readonly feeds: Feeds;
  /** undefined: it runs alone. */
  readonly rows: number | undefined;
  readonly atMs: number;
  readonly resolve: (answer: QueueAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export function createInferenceQueue(options: InferenceQueueOptions): InferenceQueue {
  const { run, clock } = options;
  const waiting: Call[] = [];
  let idleWaiters: (() => void)[] = [];
  let running = false;
  let scheduled = false;
  let delay: Timer | undefined;
  const timesMs: number[] = [];
  let [answered, sharedRuns] = [0, 0];
  let state: BatchingState = hasBatchDimension(options.inputs, options.outputs)
    ? "untried"
    : "no-batch-dimension";
  const batches = (): boolean => state === "untried" || state === "agrees";

  /** What runs next: the oldest call, and those that can share its run. */
  const gather = (maxBatchSize: number): Call[] => {
    const [first] = waiting;
    if (first === undefined) return [];
    if (first.rows === undefined || !batches()) return [first];
    const together = [first];
    let rows = first.rows;
    for (const call of waiting.slice(1)) {
      if (rows >= maxBatchSize) break;
      if (call.rows === undefined || rows + call.rows > maxBatchSize) continue;
      if (!areJoinable(first.feeds, call.feeds)) continue;
      together.push(call);
      rows += call.rows;
    }
    return together;
  };

  const timed = async (feeds: Feeds): Promise<QueueAnswer> => {
    const startedAtMs = clock.monotonicMs();
    const outputs = await run(feeds);
    return { outputs, durationMs: clock.monotonicMs() - startedAtMs };
  };

  const runAlone = async (call: Call): Promise<void> => {
    try {
      call.resolve(await timed(call.feeds));
    } catch (error) {
      call.reject(error);
    }
  };

  /** @returns false where the calls have to run alone */
  const runTogether = async (calls: readonly Call[]): Promise<boolean> => {
    let answer: QueueAnswer;
    try {
      answer = await timed(joinFeeds(calls.map(({ feeds }) => feeds)));
    } catch {
      // Whose fault it was, each call learns by itself: a bad row is no reason for the others to fail.
      return false;
    }
    const parts = splitOutputs(
      answer.outputs,
      calls.map(({ rows }) => rows!),
    );
    if (parts === undefined) {
      state = "disagrees";
      return false;
    }
    if (state === "untried") {
      const [first] = calls;
      const alone = await run(first!.feeds);
      state = compareOutputs(alone, parts[0]!).agrees ? "agrees" : "disagrees";
      if (state === "disagrees") return false;
    }
    sharedRuns += 1;
    for (const [i, call] of calls.entries()) {
      call.resolve({ outputs: parts[i]!, durationMs: answer.durationMs });
    }
    return true;
  };

  const next = async (): Promise<void> => {
    const calls = gather(options.batching().maxBatchSize);
    for (const call of calls) waiting.splice(waiting.indexOf(call), 1);
    try {
      if (calls.length > 1 && (await runTogether(calls))) return;
    } catch {
      // The check itself failed: nothing was answered yet.
    }
    for (const call of calls) await runAlone(call);
  };

  const drain = async (): Promise<void> => {
    running = true;
    while (waiting.length > 0 && !isDelayed()) await next();
    running = false;
    tellIdle();
  };

  const tellIdle = (): void => {
    if (running || waiting.length > 0) return;
    const idle = idleWaiters;
    idleWaiters = [];
    for (const resolve of idle) resolve();
  };

  /** Whether the oldest call still waits for others; sets the time for when it does no longer. */
  const isDelayed = (): boolean => {
    delay?.cancel();
    delay = undefined;
    const { maxBatchSize, maxDelayMs } = options.batching();
    const [first] = waiting;
    if (first === undefined || maxDelayMs === 0 || first.rows === undefined || !batches()) return false;
    // Nothing comes any more: the version is being swapped, or the model closed.
    if (idleWaiters.length > 0) return false;
    const leftMs = first.atMs + maxDelayMs - clock.monotonicMs();
    if (leftMs <= 0 || waiting.reduce((sum, { rows = 0 }) => sum + rows, 0) >= maxBatchSize) return false;
    delay = clock.schedule(leftMs, begin);
    return true;
  };

  const begin = (): void => {
    scheduled = false;
    if (running || waiting.length === 0 || isDelayed()) return;
    void drain();
  };

  return {
    run(feeds, signal) {
      return new Promise((resolve, reject) => {
        throwIfAborted(signal);
        const onAbort = (): void => {
          const at = waiting.indexOf(call);
          if (at >= 0) waiting.splice(at, 1);
          call.reject(signal?.reason);
          tellIdle();
        };
        const settled = (): void => signal?.removeEventListener("abort", onAbort);
        const call: Call = {
          feeds,
          rows: batches() ? batchRows(feeds) : undefined,
          atMs: clock.monotonicMs(),
          resolve(answer) {
            settled();
            answered += 1;
            timesMs[(answered - 1) % TIMES_KEPT] = clock.monotonicMs() - call.atMs;
            resolve(answer);
          },
          reject(error) {
            settled();
            reject(error);
          },
        };
        signal?.addEventListener("abort", onAbort, { once: true });
        waiting.push(call);
        if (running || scheduled) return;
        // Calls of the same turn are all here when it begins.
        scheduled = true;
        queueMicrotask(begin);
      });
    },
    async idle() {
      if (!running && waiting.length === 0) return;
      const idle = new Promise<void>((resolve) => idleWaiters.push(resolve));
      begin();
      await idle;
    },
    get batching() {
      return state;
    },
    diagnose() {
      const sorted = timesMs.toSorted((a, b) => a - b);
      const at = (share: number): number | null =>
        sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
      return { answered, sharedRuns, medianMs: at(0.5), p99Ms: at(0.99) };
    },
  };
}
