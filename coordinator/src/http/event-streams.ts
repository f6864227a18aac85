import type { ServerResponse } from "node:http";
import { type Clock, failure, type Timer } from "@tributary/core";
import type { DevicesView } from "@tributary/protocol";
import type { EventFilter } from "../access/event-filter.ts";
import type { CoordinatorLimits } from "../config.ts";
import type { Bus, Subscription } from "../ports/bus.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { EventRecord } from "../ports/event-records.ts";
import { type StorageProblem, storageProblemView } from "../storage-health.ts";
import { EventOrder, type LiveEvent } from "./event-order.ts";

const REPLAY_PAGE = 500;
/** What a browser waits before it connects again. */
const RETRY_MS = 1_000;

export interface EventStreamsOptions {
  readonly store: MetadataStore;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly limits: CoordinatorLimits;
  readonly devices: () => DevicesView;
  readonly storageProblem: () => StorageProblem | null;
  /** Of the event log, when the rooms begin to publish. */
  readonly newestEventId: number;
}

/** Who reads a stream. */
export interface StreamReader {
  /** What of it is shown to them. */
  readonly sees: EventFilter;
  /** Whether they may still read it; asked with each heartbeat. */
  readonly isWelcome: () => Promise<boolean>;
}

const ANYONE: StreamReader = { sees: () => true, isWelcome: async () => true };

/** Open streams of server-sent events, fed from the bus and, when they resume, from the event log. */
export interface EventStreams {
  readonly count: number;
  /** Serves one stream until either side ends it. @throws `http/too-many-requests` */
  open(
    raw: ServerResponse,
    headers: Record<string, string>,
    lastEventId: string | undefined,
    reader?: StreamReader,
  ): void;
  close(): void;
}

export function createEventStreams(options: EventStreamsOptions): EventStreams {
  const { store, bus, clock, limits } = options;
  const streams = new Set<EventStream>();
  let closed = false;
  let heartbeat: Timer | undefined;

  const order = new EventOrder(store.events, options.newestEventId, (event) => {
    // Written out once, however many read it.
    const bytes = streams.size === 0 ? undefined : bytesOf(event);
    for (const stream of streams) stream.deliver(event, bytes);
    if (event.id !== null && event.id % 1000 === 0)
      void store.events.prune(limits.keptEvents).catch(() => {});
  });
  const subscriptions: Subscription[] = [
    // A log that cannot be read: its events are in no stream, and clients find them when they resume.
    bus.subscribe("event", (event) => void order.receive(event).catch(() => {})),
    bus.subscribe("devices", (devices) => {
      const bytes = Buffer.from(frame("devices", devices));
      for (const stream of streams) stream.write(bytes);
    }),
  ];

  function beat(): void {
    for (const stream of streams) {
      stream.write(":\n\n");
      // Whoever was shut out finds out why when they connect again.
      stream.reader.isWelcome().then(
        (welcome) => (welcome ? undefined : stream.end()),
        () => stream.end(),
      );
    }
    heartbeat = clock.schedule(limits.eventHeartbeatMs, beat);
  }
  heartbeat = clock.schedule(limits.eventHeartbeatMs, beat);

  return {
    get count() {
      return streams.size;
    },
    open(raw, headers, lastEventId, reader = ANYONE) {
      if (closed || streams.size >= limits.maxEventStreams)
        throw failure("http/too-many-requests", `http: ${streams.size} event streams are open already`, {
          detail: { retryAfterMs: 5_000 },
        });
      raw.writeHead(200, {
        ...headers,
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store, no-transform",
        // Proxies that buffer answers would hold the events back.
        "x-accel-buffering": "no",
      });
      const stream = new EventStream(raw, limits.maxEventBufferBytes, reader);
      streams.add(stream);
      raw.on("close", () => streams.delete(stream));
      raw.on("error", () => raw.destroy());
      stream.write(`retry: ${RETRY_MS}\n\n`);
      const state = new Map<string, unknown>([
        ["devices", options.devices()],
        ["storage", { problem: storageProblemView(options.storageProblem()) }],
      ]);
      stream.begin(store, lastEventId, state).catch(() => raw.destroy());
    },
    close() {
      closed = true;
      heartbeat?.cancel();
      for (const subscription of subscriptions) subscription.close();
      for (const stream of streams) stream.end();
      streams.clear();
    },
  };
}

/** One client. While it reads the log, live events wait; afterwards they follow without a gap and without a repeat. */
class EventStream {
  readonly reader: StreamReader;
  readonly #raw: ServerResponse;
  readonly #maxBufferBytes: number;
  #waiting: LiveEvent[] | undefined = [];
  #lastId = 0;

  constructor(raw: ServerResponse, maxBufferBytes: number, reader: StreamReader) {
    this.reader = reader;
    this.#raw = raw;
    this.#maxBufferBytes = maxBufferBytes;
  }

  /** @param state - how things stand now, by the event that tells of them */
  async begin(
    store: MetadataStore,
    lastEventId: string | undefined,
    state: ReadonlyMap<string, unknown>,
  ): Promise<void> {
    const { oldest, newest } = await store.events.bounds();
    const asked = lastEventId === undefined || lastEventId === "" ? undefined : parseEventId(lastEventId);
    // An id that was never given out, or whose successors are forgotten: the client has to read everything again.
    const resumable = asked !== undefined && asked <= newest && asked >= oldest - 1;
    this.#lastId = resumable ? asked : newest;
    if (lastEventId !== undefined && lastEventId !== "" && !resumable)
      this.write(frame("reset", {}, this.#lastId));
    for (const [type, data] of state) this.write(frame(type, data, this.#lastId));
    for (;;) {
      const page = await store.events.after(this.#lastId, REPLAY_PAGE);
      if (page.length === 0) break;
      for (const event of page) this.#send(event);
      await this.#drained();
      if (this.#raw.destroyed) return;
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    // What was only worth showing before an event of the replay is older than that: it must not come after it.
    const replayed = waiting.findLastIndex(({ id }) => id !== null && id <= this.#lastId);
    for (const event of waiting.slice(replayed + 1)) this.#send(event);
  }

  deliver(event: LiveEvent, bytes?: Uint8Array): void {
    if (this.#waiting === undefined) this.#send(event, bytes);
    else if (this.#waiting.length < 10_000) this.#waiting.push(event);
    else this.#raw.destroy();
  }

  write(text: string | Uint8Array): void {
    if (this.#raw.destroyed || this.#raw.writableEnded) return;
    // A reader this far behind gets nothing live any more; it comes back with the last id it saw.
    if (this.#waiting === undefined && this.#raw.writableLength > this.#maxBufferBytes)
      return void this.#raw.destroy();
    this.#collect();
    this.#raw.write(text);
  }

  /** What comes of one change is some events at once: they leave in one write. */
  #collect(): void {
    if (this.#raw.writableCorked > 0) return;
    this.#raw.cork();
    setImmediate(() => {
      if (this.#raw.writableCorked > 0) this.#raw.uncork();
    });
  }

  end(): void {
    // Node writes the end before what was collected.
    if (this.#raw.writableCorked > 0) this.#raw.uncork();
    this.#raw.end();
    // The client need not agree: the server is going away.
    this.#raw.socket?.destroySoon();
  }

  #send(event: EventRecord | LiveEvent, bytes?: Uint8Array): void {
    if (event.id !== null) {
      if (event.id <= this.#lastId) return;
      this.#lastId = event.id;
    }
    if (this.reader.sees(event)) this.write(bytes ?? bytesOf(event));
  }

  #drained(): Promise<void> {
    const raw = this.#raw;
    if (!raw.writableNeedDrain || raw.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        raw.off("drain", done);
        raw.off("close", done);
        resolve();
      };
      raw.on("drain", done);
      raw.on("close", done);
    });
  }
}

function parseEventId(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function bytesOf({ type, data, id }: EventRecord | LiveEvent): Uint8Array {
  return Buffer.from(frame(type, data, id ?? undefined));
}

function frame(type: string, data: unknown, id?: number): string {
  return `${id === undefined ? "" : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}
