import { type ApiClient, createApiClient, type ServerEvent, subscribeEvents } from "@tributary/api-client";
import { InfiniteQueryObserver, type QueryClient, QueryObserver } from "@tanstack/react-query";
import { createQueries, type Queries } from "../../../coordinator/dashboard/src/data/queries.ts";
import { createQueryClient } from "../../../coordinator/dashboard/src/data/query-client.ts";
import { roundPages, versionPages } from "../../../coordinator/dashboard/src/data/use-pages.ts";
import { applyToCache } from "../../../coordinator/dashboard/src/live/apply-to-cache.ts";
import { createEventLog } from "../../../coordinator/dashboard/src/live/event-log.ts";

/** As the banner of the release asks. */
const ASK_MS = 60_000;

/** What a viewer looks at. */
export interface Watched {
  readonly url: string;
  readonly token: string;
  readonly task: string;
  readonly model: string;
}

/** What the page of a running task has open, as the page asks for it; a test holds it against the page in a browser. */
function visit(client: QueryClient, queries: Queries, { task, model }: Watched): readonly Watching[] {
  const single = [
    queries.status(),
    { ...queries.status(), refetchInterval: ASK_MS },
    { ...queries.keys(), refetchInterval: ASK_MS },
    queries.tasks(),
    queries.models(),
    queries.activity(task),
    queries.suspicions(task),
  ].map((options) => new QueryObserver(client, options as never));
  const pages = [queries.alerts(), roundPages(queries, task), versionPages(queries, model)].map(
    (options) => new InfiniteQueryObserver(client, options as never),
  );
  return [...single, ...pages];
}

interface Watching {
  subscribe(
    listener: (result: {
      readonly isSuccess: boolean;
      readonly isError: boolean;
      readonly error: unknown;
    }) => void,
  ): () => void;
}

export interface Viewer {
  /** Everything was read once, and events come. */
  readonly ready: Promise<void>;
  /** What was asked for, as `path?query`. */
  readonly asked: ReadonlySet<string>;
  readonly counts: { events: number; requests: number; unchanged: number; bytes: number };
  close(): void;
}

/**
 * One browser tab with the dashboard's page of a task, without its pixels: the dashboard's own queries on its own cache, brought up to date by its own code
 * from its own stream of events. What it asks again and when is what the dashboard would.
 */
export function openViewer(watched: Watched): Viewer {
  const counts = { events: 0, requests: 0, unchanged: 0, bytes: 0 };
  const asked = new Set<string>();
  const { url, token } = watched;
  const log = createEventLog();
  const client = createQueryClient();
  const api: ApiClient = createApiClient({ baseUrl: url, token, fetch: browserFetch(counts, asked) });
  const queries = createQueries(api, log);

  const live = Promise.withResolvers<void>();
  // A page draws once a frame, whatever came in it.
  let waiting: ServerEvent[] = [];
  const subscription = subscribeEvents(url, {
    token,
    onState: (state) => {
      if (state.status === "open") live.resolve();
      if (state.status === "failed") live.reject(state.error);
    },
    onEvent: (event) => {
      counts.events += 1;
      if (waiting.push(event) === 1)
        setTimeout(() => {
          const events = waiting;
          waiting = [];
          log.append(events);
          for (const each of events) applyToCache(client, each);
        }, 16);
    },
  });
  const stops: (() => void)[] = [];
  const read = visit(client, queries, watched).map((observer) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    stops.push(
      observer.subscribe((result) => {
        if (result.isSuccess) resolve();
        if (result.isError) reject(result.error);
      }),
    );
    return promise;
  });
  return {
    ready: Promise.all([live.promise, ...read]).then(() => undefined),
    asked,
    counts,
    close() {
      for (const stop of stops) stop();
      subscription.close();
      client.clear();
    },
  };
}

/** As a browser's cache does: what has a tag is kept, and asked for again by it. */
function browserFetch(counts: Viewer["counts"], asked: Set<string>): typeof globalThis.fetch {
  const kept = new Map<
    string,
    { readonly tag: string; readonly body: ArrayBuffer; readonly headers: Headers }
  >();
  return async (input, init) => {
    const request = new Request(input, init);
    const { pathname, search } = new URL(request.url);
    asked.add(pathname + search);
    const before = kept.get(request.url);
    if (before !== undefined) request.headers.set("if-none-match", before.tag);
    counts.requests += 1;
    const response = await fetch(request);
    if (response.status === 304 && before !== undefined) {
      counts.unchanged += 1;
      return new Response(before.body, { status: 200, headers: before.headers });
    }
    const body = await response.arrayBuffer();
    counts.bytes += body.byteLength;
    const tag = response.headers.get("etag");
    if (response.ok && tag !== null) kept.set(request.url, { tag, body, headers: response.headers });
    return new Response(body, { status: response.status, headers: response.headers });
  };
}
