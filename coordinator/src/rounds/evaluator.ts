import { context } from "@opentelemetry/api";
import { Worker } from "node:worker_threads";
import { failure, isErrorCode, type Clock, type Digest } from "@tributary/core";
import type { BlobStore } from "../ports/blob-store.ts";
import { traced, tracedElsewhere } from "../observability/tracing/traced.ts";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import type { ActivationRange } from "@tributary/onnx";
import type {
  EvaluationAnswer,
  EvaluationJob,
  EvaluationOutcome,
  EvaluationRequest,
  EvaluationTimes,
  Evaluator,
} from "./evaluation.ts";

/** An evaluation that takes longer is given up, and its thread with it. */
const TIMEOUT_MS = 300_000;

/**
 * Evaluation by onnxruntime-node, or TensorFlow.js where the model is of it, in a worker thread, so that the coordinator answers while it runs. The thread is started
 * with the first job and keeps graphs and data sets; one that dies fails its jobs and is started again by the next.
 */
export function createEvaluator(options: {
  readonly blobs: Pick<BlobStore, "bytes">;
  readonly clock: Clock;
}): Evaluator {
  const { blobs, clock } = options;
  let thread: EvaluationThread | undefined;
  let closed = false;

  /** The thread, with what a job needs. */
  const threadWith = async (
    needed: Partial<Pick<EvaluationRequest, "graph" | "dataset">>,
  ): Promise<EvaluationThread> => {
    if (closed) throw failure("core/closed", "evaluator: closed");
    if (thread?.dead !== false) thread = new EvaluationThread(clock);
    const current = thread;
    for (const type of ["graph", "dataset"] as const) {
      const digest = needed[type];
      if (digest === undefined || current.has(digest)) continue;
      const bytes = await blobs.bytes(digest, { maxBytes: 1024 * 1024 * 1024 });
      current.load(type, digest, bytes);
    }
    return current;
  };

  return {
    evaluate: (request) =>
      traced("evaluation.run", {}, async () => {
        const current = await threadWith(request);
        return (await current.run((id) => ({ type: "evaluate", id, ...request }))) as EvaluationResult;
      }),
    rootUpdate: (job) =>
      traced("evaluation.root-update", {}, async () => {
        const current = await threadWith(job);
        return (await current.run((id) => ({ type: "root-update", id, ...job }))) as Float32Array;
      }),
    async activationRanges(request) {
      const current = await threadWith({ dataset: request.dataset });
      return (await current.run((id) => ({ type: "ranges", id, ...request }))) as ReadonlyMap<
        string,
        ActivationRange
      >;
    },
    async close() {
      closed = true;
      await thread?.close();
    },
  };
}

interface Pending {
  resolve(result: EvaluationOutcome, times: EvaluationTimes): void;
  reject(error: Error): void;
}

class EvaluationThread {
  dead = false;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #loaded = new Set<Digest>();
  readonly #pending = new Map<number, Pending>();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #closing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    const source = import.meta.url.endsWith(".ts");
    this.#worker = new Worker(
      new URL(source ? "./evaluation-worker.ts" : "./evaluation-worker.js", import.meta.url),
      {
        name: "evaluation",
        ...(source ? { execArgv: ["--conditions=@tributary/source"] } : {}),
      },
    );
    this.#worker.unref();
    this.#worker.on("message", (message: EvaluationAnswer) => this.#answered(message));
    this.#worker.on("error", (cause) => this.#fail(cause));
    this.#exited = new Promise((resolve) => {
      this.#worker.once("exit", () => {
        this.#fail(undefined);
        resolve();
      });
    });
  }

  has(digest: Digest): boolean {
    return this.#loaded.has(digest);
  }

  load(type: "graph" | "dataset", digest: Digest, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#loaded.has(digest)) return;
    this.#loaded.add(digest);
    this.#post({ type, digest, bytes }, [bytes.buffer]);
  }

  run(jobOf: (id: number) => EvaluationJob): Promise<EvaluationOutcome> {
    const id = this.#nextId++;
    const asked = context.active();
    return new Promise((resolve, reject) => {
      const timer = this.#clock.schedule(TIMEOUT_MS, () => {
        this.#fail(new Error(`no answer within ${TIMEOUT_MS} ms`));
        void this.close();
      });
      const settle = (run: () => void) => {
        timer.cancel();
        this.#pending.delete(id);
        run();
      };
      this.#pending.set(id, {
        resolve: (result, times) =>
          settle(() => {
            tracedElsewhere(asked, "evaluation.worker", times);
            resolve(result);
          }),
        reject: (error) => settle(() => reject(error)),
      });
      this.#post(jobOf(id));
    });
  }

  /** With the batch that it is at: to terminate a thread while onnxruntime is at work in it ends the process. Idempotent. */
  close(): Promise<void> {
    if (!this.#closing) this.#post({ type: "close" });
    this.#closing = true;
    return this.#exited;
  }

  #post(job: EvaluationJob, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(job, transfer);
  }

  #answered(message: EvaluationAnswer): void {
    const pending = this.#pending.get(message.id);
    if ("result" in message) return pending?.resolve(message.result, message.times);
    const { code, message: text, detail } = message.error;
    // Everything is sent again with the next job, should a load have failed.
    this.#loaded.clear();
    pending?.reject(failure(isErrorCode(code) ? code : "round/evaluation-failed", text, { detail }));
  }

  #fail(cause: unknown): void {
    this.dead = true;
    for (const pending of this.#pending.values()) {
      pending.reject(failure("round/evaluation-failed", "evaluation: the thread ended", { cause }));
    }
  }
}
