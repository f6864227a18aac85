import type { Logger } from "@tributary/core";
import { detached } from "../../observability/detached.ts";
import type { Bus, BusTopic, BusTopics, Subscription } from "../../ports/bus.ts";

type Listener = (payload: never) => void;

/** The bus of a single process: delivery is a microtask after publishing, in order. */
export function createInProcessBus(log: Logger): Bus {
  const listeners = new Map<BusTopic, Set<{ readonly listener: Listener }>>();
  let tail: Promise<void> = Promise.resolve();
  let closed = false;

  function deliver<T extends BusTopic>(topic: T, payload: BusTopics[T]): void {
    // A copy: a listener may subscribe or leave while it is called.
    const present = Array.from(listeners.get(topic) ?? []);
    for (const entry of present) {
      if (!listeners.get(topic)?.has(entry)) continue;
      try {
        entry.listener(payload as never);
      } catch (error) {
        log.error("bus: a listener failed", { topic, error });
      }
    }
  }

  return {
    publish(topic, payload) {
      if (closed) return Promise.resolve();
      tail = tail.then(() => detached(() => deliver(topic, payload)));
      return tail;
    },
    subscribe(topic, listener): Subscription {
      const entry = { listener: listener as Listener };
      if (closed) return { close() {} };
      const entries = listeners.get(topic) ?? new Set();
      listeners.set(topic, entries);
      entries.add(entry);
      return { close: () => void entries.delete(entry) };
    },
    async close() {
      closed = true;
      await tail;
      listeners.clear();
    },
  };
}
