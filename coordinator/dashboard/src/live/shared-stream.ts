import { publicMessageOf, type ServerEvent, type StreamState } from "@tributary/api-client";
import {
  initialShareState,
  stepShare,
  type ShareEffect,
  type ShareInput,
  type ShareState,
  type StreamStatus,
  type TabMessage,
} from "./share.ts";
import type { TabLock } from "./tab-lock.ts";

/** What the tabs' driver needs of the platform. */
export interface SharedStreamPorts {
  readonly tab: string;
  readonly lock: TabLock;
  readonly channel: {
    post(message: TabMessage): void;
    listen(onMessage: (message: TabMessage) => void): void;
    close(): void;
  };
  /** Opens the event stream of `GET /v1/events`. */
  open(options: {
    lastEventId: number | undefined;
    onEvent: (event: ServerEvent) => void;
    onState: (state: StreamState) => void;
  }): { close(): void; retryNow(): void };
  readonly now: () => number;
}

export interface SharedStreamListener {
  onEvents(events: readonly ServerEvent[]): void;
  onRefetch(): void;
  onStatus(stream: StreamStatus, role: ShareState["role"]): void;
}

export interface SharedStream {
  /** Looks whether the leader is still there; to be called now and then while the tab is visible. */
  tick(): void;
  retry(): void;
  /** The page came back from the browser's page cache. */
  restored(): void;
  stop(): void;
}

/** Runs the machine of `share.ts`: one event stream for all tabs of this origin. */
export function startSharedStream(ports: SharedStreamPorts, listener: SharedStreamListener): SharedStream {
  let state = initialShareState(ports.tab);
  let stream: { close(): void; retryNow(): void } | undefined;

  function put(
    input: ShareInput extends infer I ? (I extends unknown ? Omit<I, "now"> : never) : never,
  ): void {
    const step = stepShare(state, { ...input, now: ports.now() } as ShareInput);
    const roleChanged = step.state.role !== state.role;
    state = step.state;
    for (const effect of step.effects) perform(effect);
    if (roleChanged && state.role !== "stopped") listener.onStatus(state.stream, state.role);
  }

  function perform(effect: ShareEffect): void {
    switch (effect.type) {
      case "request-lock":
        ports.lock.request(
          () => put({ type: "lock-granted" }),
          () => put({ type: "lock-lost" }),
        );
        break;
      case "steal-lock":
        ports.lock.steal();
        break;
      case "release-lock":
        ports.lock.release();
        ports.channel.close();
        break;
      case "open-stream":
        stream?.close();
        stream = ports.open({
          lastEventId: effect.lastEventId ?? undefined,
          onEvent: (event) => put({ type: "stream-event", event }),
          onState: (streamState) => {
            const status = sharedStatus(streamState);
            if (status !== undefined) put({ type: "stream-status", stream: status });
          },
        });
        break;
      case "close-stream":
        stream?.close();
        stream = undefined;
        break;
      case "retry-stream":
        stream?.retryNow();
        break;
      case "post":
        ports.channel.post(effect.message);
        break;
      case "deliver":
        listener.onEvents(effect.events);
        break;
      case "refetch":
        listener.onRefetch();
        break;
      case "status":
        listener.onStatus(effect.stream, state.role);
        break;
    }
  }

  ports.channel.listen((message) => put({ type: "message", message }));
  put({ type: "start" });
  return {
    tick: () => put({ type: "tick" }),
    retry: () => put({ type: "retry" }),
    restored: () => put({ type: "restored" }),
    stop: () => put({ type: "stop" }),
  };
}

/** A stream's own state in the words tabs share; `closed` concerns nobody else. */
function sharedStatus(state: StreamState): StreamStatus | undefined {
  switch (state.status) {
    case "connecting":
      // While a retry is under way the banner stays as it is.
      return state.attempt > 1 ? undefined : { status: "connecting" };
    case "open":
      return { status: "live" };
    case "waiting":
      return {
        status: "waiting",
        retryAtMs: state.retryAtMs,
        attempt: state.attempt,
        reason: publicMessageOf(state.error),
      };
    case "failed":
      return { status: "failed", reason: publicMessageOf(state.error) };
    case "closed":
      return undefined;
  }
}
