import type { ServerEvent } from "@tributary/api-client";
import {
  initialShareState,
  stepShare,
  type ShareEffect,
  type ShareInput,
  type ShareState,
  type TabMessage,
} from "../src/live/share.ts";

/** Applied to each variant of a union on its own. */
type WithoutNow<Input> = Input extends unknown ? Omit<Input, "now"> : never;

/** One tab of the world: its machine, what waits for it, and which events its page shows. */
interface Tab {
  state: ShareState;
  readonly inbox: TabMessage[];
  /** Events of the server that reached the page, by a read or by the stream. */
  readonly shown: Set<number>;
  /** Events delivered twice since the last read. */
  repeated: number;
  frozen: boolean;
  stream: { queue: ServerEvent[]; at: number } | undefined;
  lock: "none" | "waiting" | "held";
}

/**
 * Tabs, their channel, their lock and a server, all in memory: what may happen in any order in a browser happens
 * here in the order that a test script says.
 */
export class TabWorld {
  readonly tabs: Tab[] = [];
  #opened = 0;
  #queue: Tab[] = [];
  #now = 0;
  #newest = 0;
  #oldest = 1;

  get newest(): number {
    return this.#newest;
  }

  get leaders(): Tab[] {
    return this.tabs.filter((tab) => tab.stream !== undefined);
  }

  openTab(): void {
    const tab: Tab = {
      state: initialShareState(`tab-${this.#opened++}`),
      inbox: [],
      shown: new Set(),
      repeated: 0,
      frozen: false,
      stream: undefined,
      lock: "none",
    };
    this.tabs.push(tab);
    this.#put(tab, { type: "start" });
    this.#read(tab);
  }

  /** The tab goes, as by a crash: it says nothing. */
  closeTab(tab: Tab): void {
    this.tabs.splice(this.tabs.indexOf(tab), 1);
    this.#queue = this.#queue.filter((other) => other !== tab);
    tab.stream = undefined;
    this.#grant();
  }

  happen(): void {
    this.#newest += 1;
    const event: ServerEvent = { type: "task", id: this.#newest, data: {} as never };
    for (const { stream } of this.tabs) stream?.queue.push(event);
  }

  /** An event that is not kept: counts of a running round. */
  pass(): void {
    for (const { stream } of this.tabs) stream?.queue.push({ type: "round", id: null, data: {} as never });
  }

  /** The server forgets its old events. */
  prune(): void {
    this.#oldest = this.#newest + 1;
  }

  /** The connection breaks; what was on its way is lost, and the client resumes from what it has. */
  breakStream(tab: Tab): void {
    if (tab.stream === undefined) return;
    this.#connect(tab, tab.stream.at);
  }

  deliverMessage(tab: Tab): boolean {
    const message = tab.frozen ? undefined : tab.inbox.shift();
    if (message !== undefined) this.#put(tab, { type: "message", message });
    return message !== undefined;
  }

  deliverEvent(tab: Tab): boolean {
    const event = tab.frozen ? undefined : tab.stream?.queue.shift();
    if (event === undefined || tab.stream === undefined) return false;
    if (event.id !== null) tab.stream.at = event.id;
    this.#put(tab, { type: "stream-event", event });
    return true;
  }

  wait(ms: number): void {
    this.#now += ms;
    for (const tab of this.tabs) if (!tab.frozen) this.#put(tab, { type: "tick" });
  }

  /** Lets everything that is under way arrive. */
  settle(): void {
    for (let moved = true; moved;) {
      moved = false;
      for (const tab of this.tabs) {
        while (this.deliverMessage(tab) || this.deliverEvent(tab)) moved = true;
      }
    }
  }

  #put(tab: Tab, input: WithoutNow<ShareInput>): void {
    const { state, effects } = stepShare(tab.state, { ...input, now: this.#now } as ShareInput);
    tab.state = state;
    for (const effect of effects) this.#perform(tab, effect);
  }

  #perform(tab: Tab, effect: ShareEffect): void {
    switch (effect.type) {
      case "request-lock":
        tab.lock = "waiting";
        this.#queue.push(tab);
        this.#grant();
        break;
      case "steal-lock": {
        this.#queue = [tab, ...this.#queue.filter((other) => other !== tab)];
        const holder = this.tabs.find((other) => other.lock === "held");
        if (holder !== undefined) holder.lock = "none";
        this.#grant();
        // A frozen holder keeps what it has until it wakes; then it hears of its loss first.
        if (holder !== undefined && !holder.frozen) this.#put(holder, { type: "lock-lost" });
        break;
      }
      case "release-lock":
        break;
      case "open-stream":
        this.#connect(tab, effect.lastEventId);
        this.#put(tab, { type: "stream-status", stream: { status: "live" } });
        break;
      case "close-stream":
        tab.stream = undefined;
        break;
      case "post":
        for (const other of this.tabs) if (other !== tab) other.inbox.push(effect.message);
        break;
      case "deliver":
        for (const { id } of effect.events) {
          if (id === null) continue;
          if (tab.shown.has(id)) tab.repeated += 1;
          tab.shown.add(id);
        }
        break;
      case "refetch":
        this.#read(tab);
        break;
      case "retry-stream":
      case "status":
        break;
    }
  }

  thaw(tab: Tab): void {
    if (!tab.frozen) return;
    tab.frozen = false;
    if (tab.lock === "none") this.#put(tab, { type: "lock-lost" });
  }

  /** As the coordinator does: device counts first, then what was missed, or a reset when that is forgotten. */
  #connect(tab: Tab, from: number | null): void {
    const queue: ServerEvent[] = [];
    const resumable = from !== null && from <= this.#newest && from >= this.#oldest - 1;
    const at = resumable ? from : this.#newest;
    if (from !== null && !resumable) queue.push({ type: "reset", id: at, data: {} });
    queue.push({ type: "devices", id: at, data: { connected: 1, training: 0 } });
    for (let id = at + 1; id <= this.#newest; id += 1) queue.push({ type: "task", id, data: {} as never });
    tab.stream = { queue, at: from ?? at };
  }

  /** A read over HTTP: everything there is now. */
  #read(tab: Tab): void {
    for (let id = 1; id <= this.#newest; id += 1) tab.shown.add(id);
  }

  #grant(): void {
    const next = this.#queue[0];
    if (next === undefined || this.tabs.some(({ lock }) => lock === "held")) return;
    this.#queue.shift();
    next.lock = "held";
    this.#put(next, { type: "lock-granted" });
  }
}
