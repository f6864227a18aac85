/** The page's side of the boundary: a `Device` that lives in a worker, and comes back when the worker dies. */
import { abortable, failure, throwIfAborted, timeoutSignal, toFailure } from "@tributary/core";
import type { Clock, Logger } from "@tributary/core";
import { proxy, releaseProxy, transfer, wrap } from "comlink";
import type { Remote } from "comlink";
import type { Diagnosis } from "../diagnosis.ts";
import type { CallOptions, Device, OpenModelRequest, ParticipateRequest } from "../device.ts";
import type { RuntimeEvent, TokenRequest } from "../runtime.ts";
import type { DeviceHost, DeviceMethod, WorkerStart } from "./device-host.ts";
import { settle, unsettle } from "./error-transfer.ts";
import type { Settled } from "./error-transfer.ts";
import { createRunMessages, type RunMessages } from "./run-messages.ts";

export interface RemoteDeviceOptions {
  /** Starts the worker's script. Called again after a worker was lost. */
  readonly spawn: () => Worker;
  readonly start: WorkerStart;
  readonly token: (device: TokenRequest) => Promise<string>;
  readonly locks: Pick<LockManager, "request">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A worker that dies this often within this time is not started again. */
const MAX_RESTARTS = 3;
const RESTART_WINDOW_MS = 60_000;
/** How long a worker may take to close before it is ended. */
const CLOSE_GRACE_MS = 5_000;

/** One life of the worker. */
interface Life {
  readonly worker: Worker;
  readonly host: Remote<DeviceHost>;
  readonly runs: RunMessages;
  /** Aborts with `runtime/worker-lost`, or `runtime/closed`. */
  readonly ended: AbortController;
  readonly ready: Promise<void>;
}

/**
 * Everything heavy runs in the worker; this side forwards plain data. What the page asked for (open models,
 * participation, idleness, battery) is remembered, so that a new worker takes up where a lost one ended.
 */
export function createRemoteDevice(options: RemoteDeviceOptions): Device {
  const { spawn, start, token, locks, clock, log } = options;
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const openings: OpenModelRequest[] = [];
  const restarts: number[] = [];
  let participation: ParticipateRequest | undefined;
  let idle: boolean | undefined;
  let battery: Parameters<Device["setBattery"]>[0] | undefined;
  let life: Life | undefined;
  let closing: Promise<void> | undefined;
  let lastCall = 0;
  let replacements = 0;

  const emit = (event: RuntimeEvent): void => {
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        log.error("a listener failed", { event: event.type, error });
      }
    }
  };

  const lose = (lost: Life, error: Error): void => {
    if (closing !== undefined) return end(lost, error);
    if (life !== lost) return;
    life = undefined;
    end(lost, error);
    log.warn("the runtime's worker was lost", { error });
    const { code, message, retryable } = toFailure(error);
    emit({ type: "problem", at: clock.now(), code, message, retryable });
    restarts.push(clock.monotonicMs());
    replacements += 1;
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
    const worker = spawn();
    const host = wrap<DeviceHost>(worker);
    const ended = new AbortController();
    const channel = new MessageChannel();
    channel.port1.addEventListener("message", ({ data }) => {
      if (life === begun) emit(data as RuntimeEvent);
    });
    channel.port1.start();
    ended.signal.addEventListener("abort", () => channel.port1.close());
    const askToken = proxy((device: TokenRequest) => settle(() => token(device)));
    const started: Promise<Settled<void>> = host.start(
      start,
      transfer(channel.port2, [channel.port2]),
      askToken,
    );
    const runs = createRunMessages((calls, buffers) => host.runAll(transfer([...calls], [...buffers])));
    const begun: Life = { worker, host, runs, ended, ready: abortable(restore(started), ended.signal) };
    let alive = false;
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      const where = `${event.message ?? "the script did not load"} (${event.filename ?? "?"}:${event.lineno ?? 0})`;
      // Once started, an uncaught error does not end a worker.
      if (alive) log.error("uncaught error in the runtime's worker", { where });
      else lose(begun, failure("runtime/worker-lost", `runtime: the worker did not start: ${where}`));
    });

    async function restore(starting: Promise<Settled<void>>): Promise<void> {
      unsettle(await starting);
      alive = true;
      watch(begun);
      // Only a second life has something to restore; the first calls come after `ready`.
      const reopened = openings.slice();
      for (const request of reopened) await host.invoke(0, "openModel", [request]).then(unsettle);
      if (idle !== undefined) await host.invoke(0, "setIdle", [idle]).then(unsettle);
      if (battery !== undefined) await host.invoke(0, "setBattery", [battery]).then(unsettle);
      if (participation !== undefined) {
        await host.invoke(0, "participate", [participation]).then(unsettle);
      }
    }
    return begun;
  };

  /** The worker holds its life lock until it is gone, however that happens. */
  const watch = (watched: Life): void => {
    locks
      .request(start.lifeLock, { signal: watched.ended.signal }, async () => {
        lose(
          watched,
          failure("runtime/worker-lost", "runtime: the worker ended unexpectedly; it is started again"),
        );
      })
      .catch(() => undefined); // ended by ourselves
  };

  const current = async (): Promise<Life> => {
    if (closing !== undefined) throw closedError();
    const attempt = (life ??= begin());
    try {
      await attempt.ready;
    } catch (error) {
      // A start that failed (no storage, no network for the script) is tried anew by the next call.
      if (life === attempt) life = undefined;
      end(attempt, toFailure(error));
      throw error;
    }
    return attempt;
  };

  /** A call under an id, which an abort of the signal cancels in the worker. */
  const cancellable = async <T>(
    signal: AbortSignal | undefined,
    send: (life: Life, id: number) => Promise<T>,
  ): Promise<T> => {
    throwIfAborted(signal);
    const living = await abortable(current(), signal);
    const id = ++lastCall;
    const onAbort = (): void => void living.host.cancel(id);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await abortable(abortable(send(living, id), living.ended.signal), signal);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  };

  const call = async <T>(
    method: DeviceMethod,
    args: readonly unknown[],
    { signal }: CallOptions = {},
  ): Promise<T> =>
    unsettle(
      await cancellable<Settled<unknown>>(signal, ({ host }, id) => host.invoke(id, method, args)),
    ) as T;

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
    run: (model, feeds, { signal, transfer: given = false } = {}) =>
      cancellable(signal, ({ runs }, id) => runs.send({ id, model, feeds }, given ? buffersOf(feeds) : [])),
    refresh: (model, callOptions) => call("refresh", [model], callOptions),
    applyUpdate: (model) => call("applyUpdate", [model]),
    addExamples: (model, examples) => call("addExamples", [model, examples]),
    countExamples: (model) => call("countExamples", [model]),
    listExamples: (model) => call("listExamples", [model]),
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
    async setBattery(value) {
      battery = value;
      await call("setBattery", [value]);
    },
    async stopParticipating() {
      participation = undefined;
      await call("stopParticipating", []);
    },
    reconnect: () => call("reconnect", []),
    status: () => call("status", []),
    async diagnose() {
      const diagnosis = await call<Diagnosis>("diagnose", []);
      return { ...diagnosis, worker: { replaced: replacements, recycled: 0 } };
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
        if (last === undefined) return;
        // A worker that dies now is seen by its life lock, one that hangs by the time.
        using limit = timeoutSignal(clock, CLOSE_GRACE_MS, last.ended.signal);
        await abortable(last.host.close(), limit.signal).catch(() => undefined);
        end(last, closedError());
      })();
      return closing;
    },
  };
}

/** Settles every call that waits for it, then lets go of proxy and worker, in this order. */
function end(life: Life, reason: Error): void {
  if (life.ended.signal.aborted) return;
  life.ready.catch(() => undefined);
  life.ended.abort(reason);
  life.host[releaseProxy]();
  life.worker.terminate();
}

function closedError(): Error {
  return failure("runtime/closed", "runtime: used after close()");
}

function buffersOf(feeds: Parameters<Device["run"]>[1]): ArrayBuffer[] {
  const buffers = Object.values(feeds).map(({ data }) => data.buffer);
  return [...new Set(buffers)].filter((buffer) => buffer instanceof ArrayBuffer);
}
