import { randomBytes } from "node:crypto";
import { Worker } from "node:worker_threads";
import { encodeHex, failure, type Clock } from "@tributary/core";
import type { EstimateView } from "@tributary/protocol";
import { timestamp } from "../registry/views.ts";
import type { EstimateJob, EstimateNews } from "./estimate-messages.ts";

/** One is simulated at a time; so many may wait. */
const MOST_WAITING = 4;
/** Ended ones that can still be read. */
const KEPT = 20;
const WORKER_LIMITS = { maxOldGenerationSizeMb: 2_048 };

/** What tasks would cost: one at a time, in a thread of its own. */
export interface Estimator {
  /** @throws `coordinator/busy` */
  start(job: EstimateJob): EstimateView;
  /** @throws `coordinator/unknown-estimate` */
  get(id: string): EstimateView;
  /** Ends it; what had ended stays as it is. @throws `coordinator/unknown-estimate` */
  cancel(id: string): EstimateView;
  /** Idempotent. */
  close(): Promise<void>;
}

interface Estimate {
  view: EstimateView;
  readonly job: EstimateJob;
  startedMs: number;
}

export function createEstimator({ clock }: { readonly clock: Clock }): Estimator {
  const estimates = new Map<string, Estimate>();
  const waiting: string[] = [];
  let running: { readonly id: string; readonly thread: Worker } | undefined;
  let closed = false;

  const found = (id: string): Estimate => {
    const estimate = estimates.get(id);
    if (estimate !== undefined) return estimate;
    throw failure(
      "coordinator/unknown-estimate",
      `estimate: there is no "${id}"; the last ${KEPT} are kept`,
      {
        detail: { estimate: id },
      },
    );
  };
  const change = (id: string, changes: Partial<EstimateView>): void => {
    const estimate = estimates.get(id);
    if (estimate !== undefined) estimate.view = { ...estimate.view, ...changes };
  };

  /** Ends the thread that runs, and begins with the next that waits. */
  const proceed = async (): Promise<void> => {
    const ending = running;
    running = undefined;
    await ending?.thread.terminate();
    if (closed || running !== undefined) return;
    const id = waiting.shift();
    if (id !== undefined) begin(id);
  };

  const begin = (id: string): void => {
    const estimate = found(id);
    const thread = startThread();
    running = { id, thread };
    estimate.startedMs = clock.monotonicMs();
    change(id, { state: "running" });
    const end = (changes: Partial<EstimateView>): void => {
      if (running?.thread !== thread) return;
      change(id, { ...changes, progress: { ...found(id).view.progress, share: 1 } });
      forgetOldest(estimates);
      void proceed();
    };
    const broken = (message: string): void =>
      end({ state: "failed", error: { code: "core/internal", message } });
    thread.on("message", (news: EstimateNews) => {
      if (running?.thread !== thread) return;
      if (news.type === "done") return end({ state: "done", result: news.result });
      if (news.type === "failed")
        return end({ state: "failed", error: { code: news.code, message: news.message } });
      change(id, { progress: { ...news.progress, share: found(id).view.progress.share } });
    });
    thread.once("error", ({ message }: Error) => broken(message));
    thread.once("exit", () => broken("the thread that simulates ended"));
    thread.postMessage(estimate.job);
  };

  return {
    start(job) {
      if (closed) throw failure("core/closed", "estimate: closed");
      if (waiting.length >= MOST_WAITING)
        throw failure("coordinator/busy", `estimate: ${MOST_WAITING} others wait for their turn`);
      const id = encodeHex(randomBytes(16));
      const view: EstimateView = {
        id,
        state: "waiting",
        createdAt: timestamp(clock.now()),
        progress: { rounds: 0, clockSeconds: 0, accuracy: null, share: 0 },
        error: null,
        result: null,
      };
      estimates.set(id, { view, job, startedMs: 0 });
      if (running === undefined) begin(id);
      else waiting.push(id);
      return found(id).view;
    },
    get(id) {
      const { view, job, startedMs } = found(id);
      if (view.state !== "running") return view;
      const share = (clock.monotonicMs() - startedMs) / (job.request.budgetSeconds * 1000);
      return { ...view, progress: { ...view.progress, share: Math.min(1, Math.max(0, share)) } };
    },
    cancel(id) {
      const { view } = found(id);
      if (view.state !== "waiting" && view.state !== "running") return view;
      const place = waiting.indexOf(id);
      if (place >= 0) waiting.splice(place, 1);
      change(id, { state: "cancelled" });
      if (running?.id === id) void proceed();
      forgetOldest(estimates);
      return found(id).view;
    },
    async close() {
      closed = true;
      waiting.length = 0;
      await proceed();
    },
  };
}

/** Of those that have ended. */
function forgetOldest(estimates: Map<string, Estimate>): void {
  const ended = [...estimates].filter(([, { view }]) => view.state !== "waiting" && view.state !== "running");
  for (const [id] of ended.slice(0, Math.max(0, ended.length - KEPT))) estimates.delete(id);
}

function startThread(): Worker {
  const source = import.meta.url.endsWith(".ts");
  return new Worker(new URL(source ? "./estimate-worker.ts" : "./estimate-worker.js", import.meta.url), {
    name: "estimate",
    resourceLimits: WORKER_LIMITS,
    ...(source ? { execArgv: ["--conditions=@tributary/source"] } : {}),
  });
}
