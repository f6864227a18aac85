import { failure, timeoutSignal, type Env } from "@tributary/core";

/** What is asked of the platform's `fetch`, and looked at of its answers: a platform may have something leaner. */
export type Fetch = (url: string, init: FetchInit) => Promise<HttpResponse>;

export interface FetchInit extends Pick<
  RequestInit,
  "cache" | "credentials" | "method" | "redirect" | "referrerPolicy"
> {
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
  readonly signal: AbortSignal;
}

export interface HttpResponse extends Pick<Response, "ok" | "status" | "url"> {
  readonly headers: Pick<Headers, "get">;
  readonly body: { getReader(): Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel"> } | null;
}

export interface RequestsOptions {
  readonly fetch: Fetch;
  readonly env: Env;
}

/** What all requests of a device have in common: no cookies, no cache, bytes counted. */
export interface Requests {
  /** One request. `signal` ends it, and reading its body, too. @throws `transport/connect-failed` */
  send(url: string, init: FetchInit): Promise<HttpResponse>;
  /** Runs `use` with a signal that is aborted after a time. */
  limited<T>(
    timeoutMs: number,
    parent: AbortSignal | undefined,
    use: (signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  readonly countDown: (count: number) => void;
  readonly countUp: (count: number) => void;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

export const REQUEST_TIMEOUT_MS = 30_000;

export function createRequests({ fetch, env }: RequestsOptions): Requests {
  let bytesUp = 0;
  let bytesDown = 0;
  return {
    async send(url, init) {
      try {
        return await fetch(url, {
          credentials: "omit",
          cache: "no-store",
          redirect: "follow",
          referrerPolicy: "no-referrer",
          ...init,
        });
      } catch (cause) {
        init.signal.throwIfAborted();
        throw failure("transport/connect-failed", `http: ${url} cannot be reached`, { cause });
      }
    },
    async limited(timeoutMs, parent, use) {
      // Not by `using`, nor elsewhere in what every page loads: it brings along what browsers of today need for it.
      const limit = timeoutSignal(env.clock, timeoutMs, parent);
      try {
        return await use(limit.signal);
      } finally {
        limit.cancel();
      }
    },
    countDown: (count) => void (bytesDown += count),
    countUp: (count) => void (bytesUp += count),
    get bytesUp() {
      return bytesUp;
    },
    get bytesDown() {
      return bytesDown;
    },
  };
}
