/** Sessions on a GPU that the browser may take away: a driver that crashed or was updated, a laptop that switched cards. */
import { failure, TributaryError, type Clock } from "@tributary/core";
import type { Feeds, RunOptions, Session } from "@tributary/engine";
import type { LoadedSession } from "../session-cache.ts";

/** A GPU that is lost more often within this time is left alone. */
const MAX_LOSSES = 3;
const LOSS_WINDOW_MS = 10 * 60_000;

export interface GpuSessions {
  /** How often the GPU was lost. */
  readonly losses: number;
  /** Whether it was lost so often lately that models had better run elsewhere. */
  readonly unstable: boolean;
  /**
   * The same session, which outlives its GPU: when that is lost, it is opened anew, with the check of engines, and the run is made
   * again.
   *
   * @param reopen - opens it on whatever there is then
   * @param onMoved - called after that
   */
  survive(first: LoadedSession, reopen: () => Promise<LoadedSession>, onMoved?: () => void): LoadedSession;
  /** The same session; when its GPU is lost, its runs fail with `engine/device-lost` and `onLost` is called. */
  endWith(session: Session, onLost: () => Promise<void>): Session;
}

/** One of those that have to let go of a lost GPU before a new one can be had. */
interface Held {
  readonly letGo: () => Promise<void>;
  readonly takeUp: () => Promise<void>;
}

export function createGpuSessions(clock: Pick<Clock, "monotonicMs">): GpuSessions {
  const held = new Set<Held>();
  const lostAtMs: number[] = [];
  let recovering: Promise<void> | undefined;

  /** onnxruntime makes a new device once no session holds the old one. */
  const recover = (): Promise<void> => {
    recovering ??= (async () => {
      lostAtMs.push(clock.monotonicMs());
      const all = [...held];
      await Promise.all(all.map(({ letGo }) => letGo()));
      for (const { takeUp } of all) await takeUp();
    })().finally(() => {
      recovering = undefined;
    });
    return recovering;
  };

  return {
    get losses() {
      return lostAtMs.length;
    },
    get unstable() {
      const since = clock.monotonicMs() - LOSS_WINDOW_MS;
      return lostAtMs.filter((at) => at > since).length > MAX_LOSSES;
    },
    survive(first, reopen, onMoved) {
      let current = first;
      let disposed: PromiseLike<void> | undefined;
      let gone: unknown;
      const self: Held = {
        async letGo() {
          if (isOnGpu(current)) await current.session[Symbol.asyncDispose]();
        },
        async takeUp() {
          if (!isOnGpu(current) || disposed !== undefined) return;
          try {
            current = await reopen();
            gone = undefined;
            if (disposed === undefined) onMoved?.();
            else await current.session[Symbol.asyncDispose]();
          } catch (error) {
            gone = error;
          }
        },
      };
      held.add(self);
      const session: Session = {
        get engine() {
          return current.session.engine;
        },
        inputs: first.session.inputs,
        outputs: first.session.outputs,
        inputPorts: first.session.inputPorts,
        outputPorts: first.session.outputPorts,
        async run(feeds, options) {
          await recovering;
          if (gone !== undefined) throw gone;
          const used = current;
          try {
            return await used.session.run(feeds, options);
          } catch (error) {
            if (!isLoss(error)) throw error;
            if (used === current) await recover();
            else await recovering;
            // What was kept on the GPU is gone with it.
            if (options?.kept !== undefined) throw error;
            if (gone !== undefined) throw gone;
            return await current.session.run(feeds, options);
          }
        },
        get keep() {
          const { session: used } = current;
          if (used.keep === undefined) return undefined;
          return async (feeds: Feeds, options?: RunOptions) => {
            try {
              return await used.keep!(feeds, options);
            } catch (error) {
              if (isLoss(error) && used === current.session) await recover();
              throw error;
            }
          };
        },
        [Symbol.asyncDispose]() {
          held.delete(self);
          return (disposed ??= current.session[Symbol.asyncDispose]());
        },
      };
      return {
        session,
        get note() {
          return current.note;
        },
        get check() {
          return current.check;
        },
      };
    },
    endWith(session, onLost) {
      const self: Held = { letGo: onLost, takeUp: async () => {} };
      held.add(self);
      let lost = false;
      return {
        ...session,
        async run(feeds, options) {
          if (lost)
            throw failure("engine/device-lost", `${session.engine}: the GPU of this session was lost`);
          try {
            return await session.run(feeds, options);
          } catch (error) {
            if (isLoss(error)) {
              lost = true;
              void recover();
            }
            throw error;
          }
        },
        [Symbol.asyncDispose]() {
          held.delete(self);
          return session[Symbol.asyncDispose]();
        },
      };
    },
  };
}

function isOnGpu({ session }: LoadedSession): boolean {
  return session.engine === "ort-webgpu";
}

function isLoss(error: unknown): boolean {
  return TributaryError.is(error) && error.code === "engine/device-lost";
}
