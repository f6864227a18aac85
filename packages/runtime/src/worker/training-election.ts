/** One tab trains: a Web Lock elects it, and passes on when that tab closes or stops. */
import { failure, toFailure } from "@tributary/core";
import type { Clock } from "@tributary/core";
import type { Device, ParticipateRequest } from "../device.ts";
import type { RuntimeEvent } from "../runtime.ts";

export interface ElectionOptions {
  readonly locks: Pick<LockManager, "request">;
  /** Name of the lock, shared by all tabs of a device. */
  readonly name: string;
  readonly clock: Pick<Clock, "now">;
}

/**
 * The same device, but it takes part only while it holds the lock. While another tab does, a problem event
 * `runtime/locked` says so, and this one takes over when that tab is gone.
 */
export function electTrainer(device: Device, options: ElectionOptions): Device {
  const { locks, name, clock } = options;
  const listeners = new Set<(event: RuntimeEvent) => void>();
  let candidacy: { withdraw(): Promise<void> } | undefined;

  const report = (error: unknown): void => {
    const { code, message, retryable } = toFailure(error);
    for (const listener of listeners)
      listener({ type: "problem", at: clock.now(), code, message, retryable });
  };

  /** Holds the lock from its turn until withdrawn. `settled`: takes part, or waits in line, or failed. */
  const stand = (request: ParticipateRequest): { withdraw(): Promise<void>; settled: Promise<void> } => {
    const waiting = new AbortController();
    let release = (): void => {};
    const withdrawn = new Promise<void>((resolve) => {
      release = resolve;
    });
    let elected = false;
    let settle: (error?: unknown) => void = () => {};
    const settled = new Promise<void>((resolve, reject) => {
      settle = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
    settled.catch(() => undefined);
    const serve = async (): Promise<void> => {
      if (waiting.signal.aborted) return;
      elected = true;
      await device.participate(request);
      settle();
      await withdrawn;
    };
    const run = async (): Promise<void> => {
      const served = await locks.request(name, { ifAvailable: true }, async (lock) => {
        if (lock === null) return false;
        await serve();
        return true;
      });
      if (served) return;
      settle();
      report(
        failure(
          "runtime/locked",
          "runtime: another tab of this site takes part; this one waits for its turn",
        ),
      );
      try {
        await locks.request(name, { signal: waiting.signal }, serve);
      } catch (error) {
        if (!waiting.signal.aborted) report(error);
      }
    };
    const ended = run().catch(settle);
    return {
      settled,
      async withdraw() {
        waiting.abort(new DOMException("The participation was stopped.", "AbortError"));
        release();
        settle();
        if (elected) await device.stopParticipating();
        await ended;
      },
    };
  };

  const withdraw = async (): Promise<void> => {
    const current = candidacy;
    candidacy = undefined;
    await current?.withdraw();
  };

  return {
    ...device,
    async participate(request) {
      if (!request.consent) return device.participate(request);
      await withdraw();
      const standing = stand(request);
      candidacy = standing;
      await standing.settled;
    },
    async stopParticipating() {
      await withdraw();
    },
    subscribe(listener) {
      listeners.add(listener);
      const unsubscribe = device.subscribe(listener);
      return () => {
        listeners.delete(listener);
        unsubscribe();
      };
    },
    async close() {
      await withdraw();
      await device.close();
    },
  };
}
