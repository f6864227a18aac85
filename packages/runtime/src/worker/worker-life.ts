/** One life of the worker behind a page's runtime, from its start to its end, however that comes. */
import { abortable, failure, type Clock, type Logger } from "@tributary/core";
import { proxy, releaseProxy, transfer, wrap, type Remote } from "comlink";
import type { RuntimeEvent, TokenRequest } from "../runtime.ts";
import type { DeviceHost, WorkerStart } from "./device-host.ts";
import { settle, unsettle } from "./error-transfer.ts";
import { createLiveness, type Liveness } from "./liveness.ts";
import { createRunMessages, type RunMessages } from "./run-messages.ts";

export interface WorkerLifeOptions {
  /** Starts the worker's script. */
  readonly spawn: () => Worker;
  readonly start: WorkerStart;
  readonly token: (device: TokenRequest) => Promise<string>;
  readonly locks: Pick<LockManager, "request">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEvent: (event: RuntimeEvent) => void;
  /** So many inference calls were answered. */
  readonly onRuns: (calls: number, heapBytes: number | undefined) => void;
  /** The worker did not start, is gone, or is stuck. It still has to be ended. */
  readonly onLost: (error: Error) => void;
}

export interface WorkerLife {
  readonly host: Remote<DeviceHost>;
  readonly runs: RunMessages;
  readonly liveness: Liveness;
  /** Aborts with the reason of its end. */
  readonly ended: AbortSignal;
  readonly started: Promise<void>;
  /** Settles every call that waits for it, then lets go of proxy and worker, in this order. Idempotent. */
  end(reason: Error): void;
}

export function beginWorkerLife(options: WorkerLifeOptions): WorkerLife {
  const { start, token, locks, clock, log, onEvent, onLost } = options;
  const worker = options.spawn();
  const ended = new AbortController();
  const channel = new MessageChannel();
  const liveness = createLiveness(clock, (quietMs) =>
    onLost(
      failure(
        "runtime/worker-lost",
        `runtime: the worker has not answered for ${Math.round(quietMs / 1000)} s; it is replaced`,
      ),
    ),
  );
  const runs = createRunMessages(worker, { liveness, onAnswers: options.onRuns });
  const host = wrap<DeviceHost>(worker);
  let alive = false;
  channel.port1.addEventListener("message", ({ data }) => {
    liveness.seen();
    onEvent(data as RuntimeEvent);
  });
  channel.port1.start();
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    const where = `${event.message ?? "the script did not load"} (${event.filename ?? "?"}:${event.lineno ?? 0})`;
    // Once started, an uncaught error does not end a worker.
    if (alive) log.error("uncaught error in the runtime's worker", { where });
    else onLost(failure("runtime/worker-lost", `runtime: the worker did not start: ${where}`));
  });
  const askToken = proxy((device: TokenRequest) => settle(() => token(device)));

  /** The worker holds its life lock until it is gone, however that happens. */
  const watch = (): void => {
    locks
      .request(start.lifeLock, { signal: ended.signal }, async () => {
        onLost(failure("runtime/worker-lost", "runtime: the worker ended unexpectedly; it is started again"));
      })
      .catch(() => undefined); // ended by ourselves
  };

  const started = (async () => {
    unsettle(await host.start(start, transfer(channel.port2, [channel.port2]), askToken));
    alive = true;
    watch();
  })();
  return {
    host,
    runs,
    liveness,
    ended: ended.signal,
    started: abortable(started, ended.signal),
    end(reason) {
      if (ended.signal.aborted) return;
      liveness.end();
      this.started.catch(() => undefined);
      ended.abort(reason);
      channel.port1.close();
      runs.end(reason);
      host[releaseProxy]();
      worker.terminate();
    },
  };
}
