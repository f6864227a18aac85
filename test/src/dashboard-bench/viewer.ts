import { type ApiClient, createApiClient, type ServerEvent, subscribeEvents } from "@tributary/api-client";
import { QueryObserver } from "@tanstack/react-query";
import {
  applyEvent,
  createQueries,
  createQueryClient,
  type Queries,
} from "../../../coordinator/dashboard/src/data/queries.ts";
import { createEventLog } from "../../../coordinator/dashboard/src/live/event-log.ts";

/** What a viewer looks at. */
export interface Watched {
  readonly url: string;
  readonly token: string;
  readonly task: string;
  readonly model: string;
}

type Options = ReturnType<Queries[keyof Queries]>;

/** The dashboard's queries that its page of a running task has open, as the page asks for them. */
export const VISIT: Partial<Record<keyof Queries, (queries: Queries, watched: Watched) => Options>> = {
  status: (queries) => queries.status(),
  keys: (queries) => queries.keys(),
  tasks: (queries) => queries.tasks(),
  models: (queries) => queries.models(),
  rounds: (queries, { task }) => queries.rounds(task),
  suspicions: (queries, { task }) => queries.suspicions(task),
  activity: (queries, { task }) => queries.activity(task),
  measurements: (queries, { task }) => queries.measurements(task),
  health: (queries, { model }) => queries.health(model),
  card: (queries, { model }) => queries.card(model, 1),
  rollouts: (queries, { model }) => queries.rollouts(model),
  versions: (queries, { model }) => queries.versions(model),
};

export interface Viewer {
  /** Everything was read once, and events come. */
  readonly ready: Promise<void>;
  readonly counts: { events: number; requests: number; unchanged: number; bytes: number };
  close(): void;
}

/**
 * One browser tab with the dashboard's page of a task, without its pixels: the dashboard's own queries on its own cache, brought up to date by its own code
 * from its own stream of events. What it asks again and when is what the dashboard would.
 */
export function openViewer(watched: Watched): Viewer {
  const counts = { events: 0, requests: 0, unchanged: 0, bytes: 0 };
  const { url, token } = watched;
  const log = createEventLog();
  const client = createQueryClient();
  const api: ApiClient = createApiClient({ baseUrl: url, token, fetch: browserFetch(counts) });
  const queries = createQueries(api, log);

  const live = Promise.withResolvers<void>();
  // A page draws once a frame, whatever came in it.
  let waiting: ServerEvent[] = [];
  const subscription = subscribeEvents(url, {
    token,
    onState: (state) => {
      if (state.status === "open") live.resolve();
    },
    onEvent: (event) => {
      counts.events += 1;
      if (waiting.push(event) === 1)
        setTimeout(() => {
          const events = waiting;
          waiting = [];
          log.append(events);
          for (const each of events) applyEvent(client, each);
        }, 16);
    },
  });
  const stops: (() => void)[] = [];
  const read = Object.values(VISIT).map((optionsOf) => {
    const observer = new QueryObserver(client, optionsOf(queries, watched) as never);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    stops.push(
      observer.subscribe((result) => {
        if (result.isSuccess) resolve();
        if (result.isError) reject(result.error as Error);
      }),
    );
    return promise;
  });
  return {
    ready: Promise.all([live.promise, ...read]).then(() => undefined),
    counts,
    close() {
      for (const stop of stops) stop();
      subscription.close();
      client.clear();
    },
  };
}

/** As a browser's cache does: what has a tag is kept, and asked for again by it. */
function browserFetch(counts: Viewer["counts"]): typeof globalThis.fetch {
  const kept = new Map<
    string,
    { readonly tag: string; readonly body: ArrayBuffer; readonly headers: Headers }
  >();
  return async (input, init) => {
    const request = new Request(input, init);
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
