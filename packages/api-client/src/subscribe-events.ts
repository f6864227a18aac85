import { type Clock, failure, systemClock, TributaryError } from "@tributary/core";
import { backoffMs } from "./backoff.ts";
import { createEventStreamParser } from "./event-stream-parser.ts";
import { errorFromBody, errorFromThrown } from "./http-error.ts";
import { parseServerEvent, type ServerEvent } from "./server-event.ts";

/** Where a subscription stands. `failed` and `closed` are final. */
export type StreamState =
  | { readonly status: "connecting"; readonly attempt: number }
  | { readonly status: "open" }
  | {
      readonly status: "waiting";
      /** Attempts since the stream was last open. */
      readonly attempt: number;
      readonly retryAtMs: number;
      readonly error: TributaryError;
    }
  | { readonly status: "failed"; readonly error: TributaryError }
  | { readonly status: "closed" };

export interface SubscribeOptions {
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined;
  /** As for `createApiClient`. */
  readonly token?: string | undefined;
  /** Resume after this event; without it the stream begins with what happens next. */
  readonly lastEventId?: number | undefined;
  /** Called for each event, in order. What it throws is reported as uncaught and does not end the stream. */
  readonly onEvent: (event: ServerEvent) => void;
  readonly onState?: ((state: StreamState) => void) | undefined;
  /** Silence after which the connection counts as dead, in milliseconds. The coordinator comments every 15 s. */
  readonly idleTimeoutMs?: number;
  /** Delays between attempts, in milliseconds. */
  readonly retry?: { readonly baseMs: number; readonly maxMs: number };
  readonly fetch?: typeof globalThis.fetch;
  readonly clock?: Clock;
  /** Uniform in [0, 1), for the jitter of the delays. */
  readonly random?: () => number;
}

export interface EventSubscription {
  /** The last event handed out, to resume from. */
  readonly lastEventId: number | undefined;
  /** The final state, once there is one. Never rejects. */
  readonly ended: Promise<StreamState>;
  /** Does not wait for the next attempt any longer (the network is back, the page is looked at). */
  retryNow(): void;
  close(): void;
}

/** Characters of one unfinished event above which the stream is given up. */
const MAX_PENDING = 4 * 1024 * 1024;

/**
 * Follows `GET /v1/events`, and goes on by itself after a lost connection with `Last-Event-ID`, so that no event is
 * lost. Runs in browsers and in Node: it reads the stream by `fetch`, which, unlike `EventSource`, can resume a
 * stream that another page began, and can say what went wrong.
 */
export function subscribeEvents(baseUrl: string | URL, options: SubscribeOptions): EventSubscription {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const send = options.fetch ?? globalThis.fetch;
  const idleTimeoutMs = options.idleTimeoutMs ?? 45_000;
  const retry = options.retry ?? { baseMs: 500, maxMs: 15_000 };
  const url = new URL("v1/events", withSlash(baseUrl));
  const request = `GET ${url.pathname}`;
  const closing = new AbortController();
  const onAbort = (): void => closing.abort(options.signal?.reason);
  if (options.signal?.aborted === true) onAbort();
  else options.signal?.addEventListener("abort", onAbort, { once: true });

  let lastEventId = options.lastEventId;
  let baseMs = retry.baseMs;
  let attempt = 0;
  let wake: (() => void) | undefined;

  function hand(event: ServerEvent): void {
    if (event.id !== null) lastEventId = event.id;
    try {
      options.onEvent(event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  async function readOnce(): Promise<void> {
    const connection = new AbortController();
    const silent = (): void =>
      connection.abort(
        failure("transport/closed", `${request}: nothing came for ${idleTimeoutMs} ms`, {
          detail: { request },
        }),
      );
    let idle = clock.schedule(idleTimeoutMs, silent);
    const signal = AbortSignal.any([closing.signal, connection.signal]);
    try {
      const headers = new Headers({ Accept: "text/event-stream" });
      if (options.token !== undefined) headers.set("Authorization", `Bearer ${options.token}`);
      if (lastEventId !== undefined) headers.set("Last-Event-ID", String(lastEventId));
      const response = await send(url, { headers, signal, cache: "no-store" });
      const type = response.headers.get("content-type") ?? "";
      if (!response.ok || response.body === null || !type.startsWith("text/event-stream")) {
        const body: unknown = await response.json().catch(() => undefined);
        throw errorFromBody(request, response, body);
      }
      options.onState?.({ status: "open" });
      const parser = createEventStreamParser();
      const decoder = new TextDecoder();
      for await (const bytes of chunksOf(response.body)) {
        attempt = 0;
        idle.cancel();
        idle = clock.schedule(idleTimeoutMs, silent);
        for (const message of parser.push(decoder.decode(bytes, { stream: true }))) {
          const event = parseServerEvent(message);
          if (event !== undefined && !closing.signal.aborted) hand(event);
        }
        if (parser.retryMs !== undefined) baseMs = parser.retryMs;
        if (parser.pending > MAX_PENDING) {
          throw failure("http/bad-event", `${request}: one event is longer than ${MAX_PENDING} characters`, {
            detail: { request },
          });
        }
      }
    } catch (thrown) {
      throw connection.signal.aborted ? connection.signal.reason : thrown;
    } finally {
      idle.cancel();
      connection.abort();
    }
  }

  function pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = clock.schedule(delayMs, () => wake?.());
      wake = () => {
        wake = undefined;
        timer.cancel();
        closing.signal.removeEventListener("abort", wakeNow);
        resolve();
      };
      closing.signal.addEventListener("abort", wakeNow, { once: true });
    });
  }

  function wakeNow(): void {
    wake?.();
  }

  async function follow(): Promise<StreamState> {
    while (!closing.signal.aborted) {
      attempt += 1;
      options.onState?.({ status: "connecting", attempt });
      let error: TributaryError;
      try {
        await readOnce();
        error = failure("transport/closed", `${request}: the coordinator ended the stream`, {
          detail: { request },
        });
      } catch (thrown) {
        const reason = errorFromThrown(request, thrown, closing.signal);
        if (closing.signal.aborted || !TributaryError.is(reason)) break;
        error = reason;
      }
      if (!error.retryable) return { status: "failed", error };
      const delayMs = backoffMs(Math.max(attempt, 1), { baseMs, maxMs: retry.maxMs }, random());
      options.onState?.({ status: "waiting", attempt, retryAtMs: clock.now() + delayMs, error });
      if (!closing.signal.aborted) await pause(delayMs);
    }
    return { status: "closed" };
  }

  // A microtask later, so that the caller has the subscription before the first state.
  const ended = Promise.resolve()
    .then(follow)
    .then((state) => {
      options.signal?.removeEventListener("abort", onAbort);
      options.onState?.(state);
      return state;
    });

  return {
    get lastEventId() {
      return lastEventId;
    },
    ended,
    retryNow: wakeNow,
    close: () => closing.abort(),
  };
}

/** A relative path resolves below a base only when the base ends in a slash. */
function withSlash(base: string | URL): URL {
  const url = new URL(base);
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}

/** `ReadableStream` is not async iterable in Safari, so its reader is used. */
async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    reader.releaseLock();
  }
}
