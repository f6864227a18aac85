import { type ServerEvent, subscribeEvents } from "@tributary/api-client";
import type { QueryClient } from "@tanstack/react-query";
import { applyToCache } from "./apply-to-cache.ts";
import { type Connection, createStore, type Store } from "./connection.ts";
import type { EventLog } from "./event-log.ts";
import { type SharedStreamPorts, startSharedStream } from "./shared-stream.ts";
import { createVisibilityLock, createWebLock } from "./tab-lock.ts";
import type { TabMessage } from "./share.ts";

export interface LiveUpdates {
  readonly connection: Store<Connection>;
  /** Tries again at once. */
  retry(): void;
}

const SHARED_NAME = "tributary-events";
/** How often a visible tab looks whether the one that carries the stream still answers. */
const WATCH_MS = 2_500;

/** Connects the page to the coordinator's events, through whichever tab carries them, for as long as the page lives. */
export function startLiveUpdates(baseUrl: string, client: QueryClient, log: EventLog): LiveUpdates {
  const connection = createStore<Connection>({ stream: { status: "connecting" }, role: "follower" });
  const batch = createBatch((events) => {
    for (const event of events) applyToCache(client, event);
  });
  const stream = startSharedStream(ports(baseUrl), {
    onEvents(events) {
      log.append(events);
      batch.add(events);
    },
    onRefetch: () => void client.invalidateQueries(),
    onStatus(next, role) {
      const was = connection.get().stream.status;
      connection.set({ stream: next, role });
      // What is told only as it happens was told to nobody meanwhile.
      if (next.status === "live" && (was === "waiting" || was === "failed"))
        void client.invalidateQueries({ queryKey: ["activity"] });
      if (next.status === "live" && was !== "live") {
        void client.refetchQueries({ predicate: (query) => query.state.status === "error" });
      }
    },
  });

  setInterval(() => {
    if (document.visibilityState === "visible") stream.tick();
  }, WATCH_MS);
  addEventListener("online", () => stream.retry());
  addEventListener("pagehide", (event) => {
    if (!event.persisted) stream.stop();
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) stream.restored();
  });
  return { connection, retry: () => stream.retry() };
}

function ports(baseUrl: string): SharedStreamPorts {
  const shared = "locks" in navigator && "BroadcastChannel" in globalThis;
  const channel = shared ? new BroadcastChannel(SHARED_NAME) : undefined;
  return {
    tab: crypto.getRandomValues(new Uint32Array(2)).join("-"),
    lock: shared ? createWebLock(navigator.locks, SHARED_NAME) : createVisibilityLock(document),
    channel: {
      post: (message) => channel?.postMessage(message),
      listen: (onMessage) =>
        channel?.addEventListener("message", (event: MessageEvent<TabMessage>) => onMessage(event.data)),
      close: () => channel?.close(),
    },
    open: (options) => subscribeEvents(baseUrl, options),
    now: () => Date.now(),
  };
}

/** Collects events for one frame (hidden pages have no frames: for a tenth of a second), so that a burst draws once. */
function createBatch(flush: (events: readonly ServerEvent[]) => void): {
  add(events: readonly ServerEvent[]): void;
} {
  let waiting: ServerEvent[] = [];
  const run = (): void => {
    const events = waiting;
    waiting = [];
    flush(events);
  };
  return {
    add(events) {
      if (waiting.length === 0) {
        if (document.visibilityState === "visible") requestAnimationFrame(run);
        else setTimeout(run, 100);
      }
      waiting.push(...events);
    },
  };
}
