/** The page's side of the boundary: a `Device` that lives in a worker, and comes back when the worker dies. */
import {
  abortable,
  failure,
  throwIfAborted,
  timeoutSignal,
  toFailure,
  TributaryError,
} from "@tributary/core";
import type { Clock, Logger } from "@tributary/core";
import type { Diagnosis } from "../diagnosis.ts";
import type { CallOptions, Device, OpenModelRequest, ParticipateRequest, RunFeeds } from "../device.ts";
import { isImageInput, transferablesOf } from "../images/image-input.ts";
import type { Inference, RuntimeEvent, TokenRequest } from "../runtime.ts";
import type { DeviceMethod, WorkerStart } from "./device-host.ts";
import { createBufferPool } from "../inference/buffer-pool.ts";
import { copyFeeds, giveBackFeeds } from "../inference/pooled-feeds.ts";
import { unsettle } from "./error-transfer.ts";
import type { Settled } from "./error-transfer.ts";
import { growthOf, type MemoryBudget } from "./recycling.ts";
import { beginWorkerLife, type WorkerLife } from "./worker-life.ts";

export interface RemoteDeviceOptions {
  /** Starts the worker's script. Called again after a worker was lost. */
  readonly spawn: () => Worker;
  readonly start: WorkerStart;
  readonly token: (device: TokenRequest) => Promise<string>;
  readonly locks: Pick<LockManager, "request">;
  readonly clock: Clock;
  readonly log: Logger;
  /** When a worker has used so much that it is replaced. */
  readonly budget: MemoryBudget;
}

/** A worker that dies this often within this time is not started again. */
const MAX_RESTARTS = 3;
const RESTART_WINDOW_MS = 60_000;
/** How long a worker may take to close before it is ended. */
const CLOSE_GRACE_MS = 5_000;
/** How long the calls under way may take before a worker is replaced another time. */
const DRAIN_MS = 10_000;

/** What a device does in rounds is not cut off for the sake of memory. */
const BUSY_STATES = new Set(["training", "ready", "reporting"]);

/** A worker with what the page had asked of the one before. */
interface Life extends WorkerLife {
  readonly ready: Promise<void>;
  isReady: boolean;
  readonly hasGrown: ReturnType<typeof growthOf>;
}

/**
 * Everything heavy runs in the worker; this side forwards plain data. What the page asked for (open models,
 * participation, idleness, battery) is remembered, so that a new worker takes up where a lost one ended.
 */
export function createRemoteDevice(options: RemoteDeviceOptions): Device {
  const { clock, log } = options;
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const openings: OpenModelRequest[] = [];
  const restarts: number[] = [];
  const underWay = new Set<Promise<unknown>>();
  const pool = createBufferPool(globalThis.crossOriginIsolated === true ? SharedArrayBuffer : ArrayBuffer);
  let participation: ParticipateRequest | undefined;
  let inRound = false;
  let idle: boolean | undefined;
  let battery: Parameters<Device["setBattery"]>[0] | undefined;
  let life: Life | undefined;
  let recycling: Promise<void> | undefined;
  let closing: Promise<void> | undefined;
  let lastCall = 0;
  let [replaced, recycled, noted] = [0, 0, 0];

  const emit = (event: RuntimeEvent): void => {
    if (event.type === "participation" && event.event.type === "state") {
      inRound = BUSY_STATES.has(event.event.state);
    }
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        log.error("a listener failed", { event: event.type, error });
      }
    }
  };

  const lose = (lost: Life, error: Error): void => {
    if (closing !== undefined) return lost.end(error);
    if (life !== lost) return;
    life = undefined;
    inRound = false;
    lost.end(error);
    log.warn("the runtime's worker was lost", { error });
    const { code, message, retryable } = toFailure(error);
    emit({ type: "problem", at: clock.now(), code, message, retryable });
    restarts.push(clock.monotonicMs());
    replaced += 1;
    if (openings.length === 0 && participation === undefined) return;
    // Pushes have to go on without a call of the page; a worker that fails again ends up here again.
    current().catch((cause: unknown) => log.warn("the runtime's worker did not come back", { error: cause }));
  };

  const begin = (): Life => {
    const recent = restarts.filter((at) => clock.monotonicMs() - at < RESTART_WINDOW_MS);
    if (recent.length > MAX_RESTARTS) {
      throw failure(
        "runtime/worker-lost",
        `runtime: the worker ended ${recent.length} times within ${RESTART_WINDOW_MS / 1000} s and is not started again; ` +
          `reload the page`,
      );
    }
    const worker = beginWorkerLife({
      ...options,
      onEvent(event) {
        if (life === begun) emit(event);
      },
      onRuns(calls, heapBytes) {
        if (begun.hasGrown(calls, heapBytes)) recycle(begun);
      },
      onLost: (error) => lose(begun, error),
    });
    const ready = abortable(restore(worker), worker.ended);
    const begun: Life = { ...worker, ready, isReady: false, hasGrown: growthOf(options.budget) };
    ready.then(
      () => (begun.isReady = true),
      () => undefined, // told by `current`, where somebody asks
    );
    return begun;
  };

  /** Only a second life has something to restore; the first calls come after `ready`. */
  const restore = async ({ host, started }: WorkerLife): Promise<void> => {
    await started;
    for (const request of openings.slice()) await host.invoke(0, "openModel", [request]).then(unsettle);
    // The worker that died can tell nobody; only where the app lets the device tell at all.
    const tells = options.start.config.healthIntervalMs !== undefined;
    for (; tells && noted < replaced; noted++) await host.invoke(0, "noteCrash", []).then(unsettle);
    if (idle !== undefined) await host.invoke(0, "setIdle", [idle]).then(unsettle);
    if (battery !== undefined) await host.invoke(0, "setBattery", [battery]).then(unsettle);
    if (participation !== undefined) await host.invoke(0, "participate", [participation]).then(unsettle);
  };

  /** Not by `using`: what browsers of today need for that would be a part of every page. */
  const within = async (
    timeoutMs: number,
    parent: AbortSignal,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<void> => {
    const limit = timeoutSignal(clock, timeoutMs, parent);
    try {
      await work(limit.signal);
    } finally {
      limit.cancel();
    }
  };

  /** Replaces a worker between two calls: those under way are answered, those that come wait for the new one. */
  const recycle = (used: Life): void => {
    if (life !== used || recycling !== undefined || closing !== undefined || inRound) return;
    recycling = (async () => {
      await within(DRAIN_MS, used.ended, async (signal) => {
        while (underWay.size > 0) await abortable(Promise.allSettled(underWay), signal);
      });
      if (life !== used || closing !== undefined) return;
      life = undefined;
      recycled += 1;
      log.info("the runtime's worker has used much memory and is replaced", { recycled });
      await closeLife(used, failure("runtime/worker-lost", "runtime: the worker was replaced"));
    })()
      .catch(() => undefined) // another time
      .finally(() => {
        recycling = undefined;
        if (life === undefined && closing === undefined) current().catch(() => undefined);
      });
  };

  /** Lets a worker end by itself. One that dies now is seen by its life lock, one that hangs by the time. */
  const closeLife = async (closed: Life, reason: Error): Promise<void> => {
    await within(CLOSE_GRACE_MS, closed.ended, (signal) => abortable(closed.host.close(), signal)).catch(
      () => undefined,
    );
    closed.end(reason);
  };

  const current = async (): Promise<Life> => {
    if (recycling !== undefined) await recycling;
    if (closing !== undefined) throw closedError();
    const attempt = (life ??= begin());
    try {
      await attempt.ready;
    } catch (error) {
      // A start that failed (no storage, no network for the script) is tried anew by the next call.
      if (life === attempt) life = undefined;
      attempt.end(toFailure(error));
      throw error;
    }
    return attempt;
  };

  /** A call under an id, which an abort of the signal cancels in the worker. Sent in this turn where a worker is ready. */
  const cancellable = <T>(
    signal: AbortSignal | undefined,
    send: (life: Life, id: number) => Promise<T>,
  ): Promise<T> => {
    throwIfAborted(signal);
    const begin = (living: Life): Promise<T> => {
      const id = ++lastCall;
      const answer = send(living, id);
      const onAbort = (): void => void living.host.cancel(id);
      const over = (): void => {
        underWay.delete(answer);
        signal?.removeEventListener("abort", onAbort);
      };
      underWay.add(answer);
      signal?.addEventListener("abort", onAbort, { once: true });
      answer.then(over, over);
      return abortable(answer, signal);
    };
    if (life?.isReady === true && recycling === undefined && closing === undefined) return begin(life);
    return abortable(current(), signal).then(begin);
  };

  const call = async <T>(
    method: DeviceMethod,
    args: readonly unknown[],
    { signal }: CallOptions = {},
  ): Promise<T> =>
    unsettle(
      await cancellable<Settled<unknown>>(signal, ({ host, liveness, ended }, id) => {
        const answer = abortable<Settled<unknown>>(host.invoke(id, method, args), ended);
        return LOADING.has(method) ? liveness.excuse(answer) : answer;
      }),
    ) as T;

  const run: Device["run"] = async (model, feeds, { signal, transfer = false, personal } = {}) => {
    const handedOver = transferablesIn(feeds, transfer);
    // Kept for a second time: the app may change its own meanwhile.
    const kept = transfer ? feeds : copyFeeds(feeds, pool);
    const once = () =>
      cancellable(signal, ({ runs }, id) =>
        runs.send(
          {
            id,
            model,
            feeds: kept,
            cancellable: signal !== undefined,
            ...(personal === false ? { personal } : {}),
          },
          handedOver,
        ),
      );
    let answer: Inference;
    try {
      answer = await once();
    } catch (error) {
      // What was handed over went down with the worker.
      if (handedOver.length > 0 || !isLost(error) || signal?.aborted === true) throw error;
      answer = await once();
    }
    // The run of a call that was cancelled may read them still.
    if (!transfer) giveBackFeeds(kept, pool);
    return answer;
  };

  return {
    async openModel(request, callOptions) {
      const state = await call<Awaited<ReturnType<Device["openModel"]>>>("openModel", [request], callOptions);
      openings.push(request);
      return state;
    },
    async closeModel(model) {
      const index = openings.findIndex((request) => request.model === model);
      if (index >= 0) openings.splice(index, 1);
      await call("closeModel", [model]);
    },
    run,
    copiesFeeds: true,
    runChain: (links, feeds, callOptions) => call("runChain", [links, feeds], callOptions),
    explain: (model, feeds, request, callOptions) => call("explain", [model, feeds, request], callOptions),
    feedback: (model, answer, label) => call("feedback", [model, answer, label]),
    personal: (model, request, callOptions) => call("personal", [model, request], callOptions),
    refresh: (model, callOptions) => call("refresh", [model], callOptions),
    applyUpdate: (model) => call("applyUpdate", [model]),
    addExamples: (model, examples) => call("addExamples", [model, examples]),
    countExamples: (model) => call("countExamples", [model]),
    listExamples: (model) => call("listExamples", [model]),
    exportExamples: (model) => call("exportExamples", [model]),
    clearExamples: (model) => call("clearExamples", [model]),
    async participate(request) {
      // Before the call: consent that is withdrawn meanwhile must not come back with its answer.
      participation = request;
      try {
        await call("participate", [request]);
      } catch (error) {
        if (participation === request) participation = undefined;
        throw error;
      }
    },
    async setConsent(consent) {
      // Also for a worker that is started anew.
      if (participation !== undefined) participation = { ...participation, consent };
      await call("setConsent", [consent]);
    },
    async setIdle(value) {
      idle = value;
      await call("setIdle", [value]);
    },
    // Of the moment: a new worker hears the next touch.
    setBusy: (value) => call("setBusy", [value]),
    async setBattery(value) {
      battery = value;
      await call("setBattery", [value]);
    },
    async stopParticipating() {
      participation = undefined;
      await call("stopParticipating", []);
    },
    forget(options) {
      participation = undefined;
      return call("forget", [options]);
    },
    noteCrash: () => call("noteCrash", []),
    reconnect: () => call("reconnect", []),
    status: () => call("status", []),
    metrics: () => call("metrics", []),
    async diagnose() {
      const diagnosis = await call<Diagnosis>("diagnose", []);
      return { ...diagnosis, worker: { replaced, recycled } };
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closing ??= (async () => {
        const last = life;
        life = undefined;
        listeners.clear();
        if (last !== undefined) await closeLife(last, closedError());
      })();
      return closing;
    },
  };
}

/** They may keep the worker busy for as long as a model takes to load, or to run many times. */
const LOADING: ReadonlySet<DeviceMethod> = new Set<DeviceMethod>([
  "explain",
  "openModel",
  "refresh",
  "applyUpdate",
]);

function isLost(error: unknown): boolean {
  return TributaryError.is(error) && error.code === "runtime/worker-lost";
}

function closedError(): Error {
  return failure("runtime/closed", "runtime: used after close()");
}

function transferablesIn(feeds: RunFeeds, given: boolean): Transferable[] {
  const all = Object.values(feeds).flatMap((value): Transferable[] => {
    if (isImageInput(value)) return transferablesOf(value, given);
    return given && value.data.buffer instanceof ArrayBuffer ? [value.data.buffer] : [];
  });
  return [...new Set(all)];
}
