import type { StreamStatus } from "./share.ts";

/** What the page knows of its connection. */
export interface Connection {
  readonly stream: StreamStatus;
  /** Whether this tab carries the stream for the others. */
  readonly role: "leader" | "follower" | "stopped";
}

/** A value React subscribes to (`useSyncExternalStore`). */
export interface Store<Value> {
  readonly get: () => Value;
  readonly set: (value: Value) => void;
  readonly subscribe: (listener: () => void) => () => void;
}

export function createStore<Value>(value: Value): Store<Value> {
  const listeners = new Set<() => void>();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
