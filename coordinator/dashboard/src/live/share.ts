import type { ServerEvent } from "@tributary/api-client";

/** Connection to the coordinator as every tab sees it, whichever tab carries it. Plain data: it crosses a channel. */
export type StreamStatus =
  | { readonly status: "connecting" }
  | { readonly status: "live" }
  | {
      readonly status: "waiting";
      readonly retryAtMs: number;
      readonly attempt: number;
      readonly reason: string;
    }
  | { readonly status: "failed"; readonly reason: string };

/** An event and the id of the one before it, so that a tab sees that it missed something. */
export interface ChainedEvent {
  readonly after: number | null;
  readonly event: ServerEvent;
}

/** What tabs say to each other. `to` names one tab; without it all are meant. */
export type TabMessage =
  /** A tab has everything up to `lastEventId` and asks the leader for the rest. */
  | { readonly type: "join"; readonly from: string; readonly lastEventId: number | null }
  | { readonly type: "retry"; readonly from: string }
  | {
      readonly type: "state";
      readonly from: string;
      readonly to?: string;
      readonly stream: StreamStatus;
      readonly lastEventId: number | null;
    }
  | {
      readonly type: "events";
      readonly from: string;
      readonly to?: string;
      readonly events: readonly ChainedEvent[];
    }
  /** What was read must be read again: events were lost. */
  | {
      readonly type: "resync";
      readonly from: string;
      readonly to?: string;
      readonly lastEventId: number | null;
    };

export interface ShareState {
  readonly tab: string;
  readonly role: "follower" | "leader" | "stopped";
  readonly lastEventId: number | null;
  readonly stream: StreamStatus;
  /** The newest events, oldest first: whoever leads next can fill another tab's gap. */
  readonly recent: readonly ChainedEvent[];
  /** When the leader was last heard, and since when an answer is due. */
  readonly heardAt: number;
  readonly askedAt: number | null;
}

export type ShareInput = { readonly now: number } & (
  | { readonly type: "start" | "lock-granted" | "lock-lost" | "tick" | "retry" | "restored" | "stop" }
  | { readonly type: "message"; readonly message: TabMessage }
  | { readonly type: "stream-event"; readonly event: ServerEvent }
  | { readonly type: "stream-status"; readonly stream: StreamStatus }
);

export type ShareEffect =
  | { readonly type: "request-lock" | "steal-lock" | "release-lock" | "close-stream" | "retry-stream" }
  | { readonly type: "open-stream"; readonly lastEventId: number | null }
  | { readonly type: "post"; readonly message: TabMessage }
  /** New events for this tab's view, in order, each once. */
  | { readonly type: "deliver"; readonly events: readonly ServerEvent[] }
  /** Everything shown must be read again. */
  | { readonly type: "refetch" }
  | { readonly type: "status"; readonly stream: StreamStatus };

export interface ShareStep {
  readonly state: ShareState;
  readonly effects: readonly ShareEffect[];
}

/** Events kept for tabs that missed some. */
export const RECENT_EVENTS = 256;
/** A follower that heard nothing for this long asks whether the leader lives. */
export const QUIET_MS = 20_000;
/** No answer for this long: the leader is frozen or broken, and its lock is taken. */
export const ANSWER_MS = 5_000;

export function initialShareState(tab: string): ShareState {
  return {
    tab,
    role: "follower",
    lastEventId: null,
    stream: { status: "connecting" },
    recent: [],
    heardAt: 0,
    askedAt: null,
  };
}

/**
 * One step of a tab in the group that shares a single event stream. The tab that holds the lock leads: it alone is
 * connected, and passes every event on. Sans-IO: locks, channel, stream and time are inputs and effects.
 */
export function stepShare(state: ShareState, input: ShareInput): ShareStep {
  if (state.role === "stopped") return { state, effects: [] };
  switch (input.type) {
    case "start":
      return {
        state: { ...state, heardAt: input.now },
        effects: [{ type: "request-lock" }, post(join(state))],
      };
    case "lock-granted":
      return lead(state, input.now);
    case "lock-lost":
      return follow(state, input.now);
    case "tick":
      return watch(state, input.now);
    case "retry":
      return state.role === "leader"
        ? { state, effects: [{ type: "retry-stream" }] }
        : { state, effects: [post({ type: "retry", from: state.tab })] };
    case "restored":
      // Back from the page cache: messages of that time are gone, and nobody counts them.
      return {
        state: { ...state, lastEventId: null, recent: [], heardAt: input.now, askedAt: null },
        effects: [{ type: "refetch" }, post(join({ ...state, lastEventId: null }))],
      };
    case "stop":
      return {
        state: { ...state, role: "stopped" },
        effects: [{ type: "close-stream" }, { type: "release-lock" }],
      };
    case "stream-status":
      return state.role === "leader" ? streamStatus(state, input.stream) : { state, effects: [] };
    case "stream-event":
      return state.role === "leader" ? streamEvent(state, input.event) : { state, effects: [] };
    case "message":
      return heard(state, input.message, input.now);
  }
}

function lead(state: ShareState, now: number): ShareStep {
  const stream: StreamStatus = { status: "connecting" };
  const next: ShareState = { ...state, role: "leader", stream, heardAt: now, askedAt: null };
  return {
    state: next,
    effects: [
      post(say(next)),
      { type: "status", stream },
      { type: "open-stream", lastEventId: state.lastEventId },
    ],
  };
}

function follow(state: ShareState, now: number): ShareStep {
  const next: ShareState = { ...state, role: "follower", heardAt: now, askedAt: null };
  return { state: next, effects: [{ type: "close-stream" }, { type: "request-lock" }, post(join(next))] };
}

function watch(state: ShareState, now: number): ShareStep {
  if (state.role !== "follower") return { state, effects: [] };
  if (state.askedAt !== null && now - state.askedAt >= ANSWER_MS) {
    return { state: { ...state, askedAt: null, heardAt: now }, effects: [{ type: "steal-lock" }] };
  }
  if (state.askedAt === null && now - state.heardAt >= QUIET_MS) {
    return { state: { ...state, askedAt: now }, effects: [post(join(state))] };
  }
  return { state, effects: [] };
}

function streamStatus(state: ShareState, stream: StreamStatus): ShareStep {
  const next = { ...state, stream };
  const effects: ShareEffect[] = [{ type: "status", stream }];
  // Nothing to resume from: what was read before the stream was open may miss what happened between.
  if (stream.status === "live" && state.lastEventId === null) {
    effects.push({ type: "refetch" }, post({ type: "resync", from: state.tab, lastEventId: null }));
  }
  effects.push(post(say(next)));
  return { state: next, effects };
}

function streamEvent(state: ShareState, event: ServerEvent): ShareStep {
  const last = state.lastEventId;
  if (event.type === "reset") {
    return {
      state: { ...state, lastEventId: event.id, recent: [] },
      effects: [{ type: "refetch" }, post({ type: "resync", from: state.tab, lastEventId: event.id })],
    };
  }
  if (event.type === "devices" || event.id === null) return passingEvent(state, event);
  if (last !== null && event.id <= last) return { state, effects: [] };
  const chained: ChainedEvent = { after: last, event };
  return {
    state: { ...state, lastEventId: event.id, recent: keep(state.recent, [chained]) },
    effects: [
      post({ type: "events", from: state.tab, events: [chained] }),
      { type: "deliver", events: [event] },
    ],
  };
}

/** An event that only says how things stand now: nobody waits for it, and the newest one counts. */
function passingEvent(state: ShareState, event: ServerEvent): ShareStep {
  const passing: ServerEvent = { ...event, id: null };
  const effects: ShareEffect[] = [
    post({ type: "events", from: state.tab, events: [{ after: state.lastEventId, event: passing }] }),
    { type: "deliver", events: [passing] },
  ];
  // A stream begins with the device counts, under the id from which the stream goes on.
  if (state.lastEventId !== null || event.id === null) return { state, effects };
  const next = { ...state, lastEventId: event.id };
  return { state: next, effects: [...effects, post(say(next))] };
}

function heard(state: ShareState, message: TabMessage, now: number): ShareStep {
  if (message.from === state.tab) return { state, effects: [] };
  if ("to" in message && message.to !== undefined && message.to !== state.tab) return { state, effects: [] };
  if (message.type === "join") {
    return state.role === "leader" ? { state, effects: answer(state, message) } : { state, effects: [] };
  }
  if (message.type === "retry") {
    return { state, effects: state.role === "leader" ? [{ type: "retry-stream" }] : [] };
  }
  // A leader whose lock was taken learns it from the lock; until then another leader's words do not concern it.
  if (state.role === "leader") return { state, effects: [] };
  const alive: ShareState = { ...state, heardAt: now, askedAt: null };
  switch (message.type) {
    case "state":
      return heardState(alive, message.stream, message.lastEventId);
    case "resync":
      return {
        state: { ...alive, lastEventId: message.lastEventId, recent: [] },
        effects: [{ type: "refetch" }],
      };
    case "events":
      return heardEvents(alive, message.events);
  }
}

function answer(state: ShareState, asked: TabMessage & { type: "join" }): ShareEffect[] {
  const effects: ShareEffect[] = [];
  const { lastEventId: theirs, from: to } = asked;
  if (theirs !== null && state.lastEventId !== null && theirs < state.lastEventId) {
    const missing = state.recent.filter(({ event }) => event.id !== null && event.id > theirs);
    const first = missing[0];
    const covered = first !== undefined && first.after !== null && first.after <= theirs;
    effects.push(
      post(
        covered
          ? { type: "events", from: state.tab, to, events: missing }
          : { type: "resync", from: state.tab, to, lastEventId: state.lastEventId },
      ),
    );
  }
  effects.push(post({ ...say(state), to }));
  return effects;
}

function heardState(state: ShareState, stream: StreamStatus, leaderHas: number | null): ShareStep {
  const effects: ShareEffect[] = [{ type: "status", stream }];
  // A new tab: it hears the channel since before it read anything, so from the leader's place on it misses nothing.
  if (state.lastEventId === null) return { state: { ...state, stream, lastEventId: leaderHas }, effects };
  if (leaderHas !== null && leaderHas > state.lastEventId) {
    effects.push(post(join(state)));
  }
  return { state: { ...state, stream }, effects };
}

function heardEvents(state: ShareState, chained: readonly ChainedEvent[]): ShareStep {
  let last = state.lastEventId;
  const fresh: ChainedEvent[] = [];
  let gap = false;
  for (const item of chained) {
    if (item.event.id === null) {
      fresh.push(item);
      continue;
    }
    if (last !== null && item.event.id <= last) continue;
    if (last !== null && item.after !== null && item.after > last) {
      gap = true; // the leader fills it: what follows comes again with its answer
      break;
    }
    fresh.push(item);
    last = item.event.id;
  }
  const next: ShareState = { ...state, lastEventId: last, recent: keep(state.recent, fresh) };
  const effects: ShareEffect[] = [];
  if (fresh.length > 0) effects.push({ type: "deliver", events: fresh.map(({ event }) => event) });
  if (gap) effects.push(post(join(next)));
  return { state: next, effects };
}

function keep(recent: readonly ChainedEvent[], more: readonly ChainedEvent[]): readonly ChainedEvent[] {
  const lasting = more.filter(({ event }) => event.id !== null);
  return lasting.length === 0 ? recent : [...recent, ...lasting].slice(-RECENT_EVENTS);
}

function say(state: ShareState): TabMessage & { type: "state" } {
  return { type: "state", from: state.tab, stream: state.stream, lastEventId: state.lastEventId };
}

function join(state: ShareState): TabMessage {
  return { type: "join", from: state.tab, lastEventId: state.lastEventId };
}

function post(message: TabMessage): ShareEffect {
  return { type: "post", message };
}
