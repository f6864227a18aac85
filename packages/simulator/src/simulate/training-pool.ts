import { availableParallelism } from "node:os";
import { failure, isErrorCode } from "@tributary/core";
import type { EvaluationSums } from "@tributary/engine/evaluation";
import pLimit from "p-limit";
import { Piscina } from "piscina";
import type {
  MeasuredVector,
  MeasureTask,
  ThreadAnswer,
  ThreadTask,
  TrainedUpdate,
  TrainingThreadData,
  TrainTask,
} from "./training-tasks.ts";

/** Threads that train for simulated clients. */
export interface TrainingPool {
  /** @throws `federation/*`, `engine/*`, `runtime/invalid-example`, `signal.reason` */
  train(task: Omit<TrainTask, "type">, signal: AbortSignal): Promise<TrainedUpdate>;
  /** What both versions do on a client's examples. Errors likewise. */
  measure(task: Omit<MeasureTask, "type">): Promise<MeasuredVector>;
  /** The server's own update, as the layout orders it. Errors likewise. */
  rootUpdate(task: Omit<Extract<ThreadTask, { type: "root-update" }>, "type">): Promise<Float32Array>;
  /** Sums over all held-out examples. */
  evaluate(values: Float32Array): Promise<EvaluationSums>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Held-out examples of one task: sums are added up in this grain, however many threads there are. */
const EVALUATED_AT_A_TIME = 2_000;

// From source the thread runs TypeScript as this one does; conditions are not inherited in every host (vitest).
const FROM_SOURCE = import.meta.url.endsWith(".ts");
const WORKER_FILE = new URL(FROM_SOURCE ? "./training-worker.ts" : "./training-worker.js", import.meta.url);

/** @param threads by default one for each processor */
export function createTrainingPool(data: TrainingThreadData, threads = availableParallelism()): TrainingPool {
  const pool = new Piscina<
    ThreadTask,
    ThreadAnswer<TrainedUpdate | EvaluationSums | MeasuredVector | Float32Array>
  >({
    filename: WORKER_FILE.href,
    workerData: data,
    minThreads: threads,
    maxThreads: threads,
    ...(FROM_SOURCE ? { execArgv: ["--conditions=@tributary/source"] } : {}),
  });
  // One more than threads, so that none waits for this one. What is cancelled before its turn costs nothing; a thread that
  // is at work is not ended for it, which would cost more than the work.
  const turn = pLimit(threads + 1);
  const working = new Set<Promise<unknown>>();
  let closing = false;
  const run = async <Value>(task: ThreadTask, signal?: AbortSignal): Promise<Value> => {
    const answer = await turn(async () => {
      signal?.throwIfAborted();
      if (closing) throw failure("simulator/stalled", "simulate: it is over");
      const work = pool.run(task);
      working.add(work);
      return work.finally(() => working.delete(work));
    });
    if ("value" in answer) return answer.value as Value;
    const { code, message, detail } = answer.failure;
    throw failure(isErrorCode(code) ? code : "federation/training-failed", message, { detail });
  };
  let closed: Promise<void> | undefined;
  return {
    train: (task, signal) => run({ type: "train", ...task }, signal),
    measure: (task) => run({ type: "measure", ...task }),
    rootUpdate: (task) => run({ type: "root-update", ...task }),
    async evaluate(values) {
      const count = data.heldOut?.count ?? 0;
      const parts = Array.from({ length: Math.ceil(count / EVALUATED_AT_A_TIME) }, (_, i) => {
        const from = i * EVALUATED_AT_A_TIME;
        const to = Math.min(count, from + EVALUATED_AT_A_TIME);
        return run<EvaluationSums>({ type: "evaluate", values, from, to });
      });
      return (await Promise.all(parts)).reduce(addSums);
    },
    // What is at work still, for devices that nobody waits for, ends before its threads do.
    close: () =>
      (closed ??= (async () => {
        closing = true;
        await Promise.allSettled(working);
        await pool.destroy();
      })()),
  };
}

function addSums(a: EvaluationSums, b: EvaluationSums): EvaluationSums {
  const sums = new Map(
    Array.from(a.sums, ([name, values]) => [name, values.map((value, i) => value + b.sums.get(name)![i]!)]),
  );
  return { examples: a.examples + b.examples, sums };
}
