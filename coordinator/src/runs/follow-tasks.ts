import { toFailure, type Env, type Timer } from "@tributary/core";
import type { Bus } from "../ports/bus.ts";

export interface FollowOptions {
  readonly env: Pick<Env, "clock" | "log">;
  readonly bus: Pick<Bus, "subscribe">;
  /** For the log. */
  readonly tracker: string;
  readonly tasks: () => Promise<readonly string[]>;
  /** Tells the tracker what it does not know of a task yet; whatever it throws is tried again. */
  readonly sync: (task: string) => Promise<void>;
}

/** What ends a round waits this long, so that many changes are told together. */
const GATHER_MS = 1_000;
const RETRY_MS = { first: 2_000, most: 300_000 } as const;

export interface Follower {
  /** No more is told; what is being told ends first. Idempotent. */
  close(): Promise<void>;
}

/**
 * Keeps a tracker up to date, in the background. What waits is the names of tasks that changed and never their points: those are in the store,
 * and the tracker itself says how far it came. So nothing is lost while it cannot be reached, and nothing waits for it.
 */
export function followTasks({ env, bus, tracker, tasks, sync }: FollowOptions): Follower {
  const { clock, log } = env;
  const changed = new Set<string>();
  let timer: Timer | undefined;
  let running: Promise<void> | undefined;
  let failures = 0;
  let closed = false;

  const wake = (afterMs: number): void => {
    if (closed || running !== undefined) return;
    timer ??= clock.schedule(afterMs, () => {
      timer = undefined;
      running = work().finally(() => {
        running = undefined;
        if (changed.size > 0) wake(failures === 0 ? GATHER_MS : retryMs(failures));
      });
    });
  };

  const work = async (): Promise<void> => {
    for (const task of Array.from(changed)) {
      if (closed) return;
      changed.delete(task);
      try {
        await sync(task);
        if (failures > 0) log.info("runs: a tracker takes points again", { tracker });
        failures = 0;
      } catch (error) {
        changed.add(task);
        failures += 1;
        const { code, message } = toFailure(error);
        // Once, and then from time to time: it may be away for long.
        if (Math.log2(failures) % 1 === 0)
          log.warn("runs: a tracker cannot be told", { tracker, task, code, message, failures });
        return;
      }
    }
  };

  const mark = (task: unknown): void => {
    if (typeof task !== "string") return;
    changed.add(task);
    wake(GATHER_MS);
  };
  const subscription = bus.subscribe("event", ({ id, type, data }) => {
    // Those without an id show a round under way.
    if (id === null) return;
    if (type === "round") mark((data as { readonly task?: unknown }).task);
    if (type === "task") mark((data as { readonly name?: unknown }).name);
  });
  // What ended while nobody was told.
  tasks().then(
    (names) => names.forEach(mark),
    (error: unknown) => log.error("runs: tasks could not be read", { tracker, error }),
  );

  return {
    async close() {
      closed = true;
      subscription.close();
      timer?.cancel();
      await running;
    },
  };
}

function retryMs(failures: number): number {
  return Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(failures - 1, 20));
}
