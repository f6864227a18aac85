import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createVirtualClock } from "@tributary/core/testing";
import { afterEach, describe, expect, test } from "vitest";
import { subscribeEvents, type ServerEvent, type StreamState } from "../src/index.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A real server; each request is answered by the next handler, the last one stays. */
async function serve(
  ...handlers: ((request: IncomingMessage, response: ServerResponse) => void)[]
): Promise<{ url: string; resumedFrom: (string | undefined)[] }> {
  const resumedFrom: (string | undefined)[] = [];
  server = createServer((request, response) => {
    const handler = handlers[Math.min(resumedFrom.length, handlers.length - 1)]!;
    resumedFrom.push(request.headers["last-event-id"] as string | undefined);
    handler(request, response);
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, resumedFrom };
}

function stream(response: ServerResponse, text: string): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  response.write(text);
}

const devices = (id: number): string =>
  `id: ${id}\nevent: devices\ndata: {"connected":${id},"training":0}\n\n`;

/** Follows `url` with a clock that stands still but for the retries, until `done` says so. */
async function follow(
  url: string,
  done: (events: readonly ServerEvent[], states: readonly StreamState[]) => boolean,
  options: { lastEventId?: number; silent?: boolean } = {},
): Promise<{ events: ServerEvent[]; states: StreamState[]; end: StreamState }> {
  const clock = createVirtualClock();
  const events: ServerEvent[] = [];
  const states: StreamState[] = [];
  const subscription = subscribeEvents(url, {
    lastEventId: options.lastEventId,
    clock,
    random: () => 0.5,
    onEvent(event) {
      events.push(event);
      if (done(events, states)) subscription.close();
    },
    onState(state) {
      states.push(state);
      if (done(events, states)) subscription.close();
      else if (state.status === "waiting") setImmediate(() => clock.advanceToNext());
      else if (state.status === "open" && options.silent === true) setImmediate(() => clock.advanceToNext());
    },
  });
  return { events, states, end: await subscription.ended };
}

describe("subscribeEvents", () => {
  test("goes on after a broken connection from the last event it handed out", async () => {
    const { url, resumedFrom } = await serve(
      (_request, response) => {
        stream(response, devices(1) + devices(2) + "id: 3\nevent: devices\ndata: {"); // cut within an event
        setImmediate(() => response.destroy());
      },
      (_request, response) => stream(response, devices(3)),
    );
    const { events, states, end } = await follow(url, (seen) => seen.length === 3);
    expect(events.map((event) => event.id)).toEqual([1, 2, 3]);
    expect(resumedFrom).toEqual([undefined, "2"]);
    expect(states.map((state) => state.status)).toEqual([
      "connecting",
      "open",
      "waiting",
      "connecting",
      "open",
      "closed",
    ]);
    expect(end).toEqual({ status: "closed" });
  });

  test("begins where another subscription ended", async () => {
    const { url, resumedFrom } = await serve((_request, response) => stream(response, devices(8)));
    await follow(url, (events) => events.length === 1, { lastEventId: 7 });
    expect(resumedFrom).toEqual(["7"]);
  });

  test("waits longer after each failure, and says why", async () => {
    const { url } = await serve(
      (_request, response) => response.destroy(),
      (_request, response) => response.writeHead(503, { "content-type": "text/html" }).end("<h1>proxy</h1>"),
      (_request, response) => response.destroy(),
      (_request, response) => stream(response, devices(1)),
    );
    const { states } = await follow(url, (events) => events.length === 1);
    const waits = states.filter((state) => state.status === "waiting");
    expect(waits.map((state) => state.error.code)).toEqual([
      "transport/connect-failed",
      "http/unexpected-response",
      "transport/connect-failed",
    ]);
    expect(waits.map((state) => state.attempt)).toEqual([1, 2, 3]);
    const start = Date.UTC(2026, 0, 1);
    expect(waits.map((state) => state.retryAtMs - start)).toEqual([375, 375 + 750, 375 + 750 + 1500]);
  });

  test("a refusal that another try cannot change ends it with the coordinator's own error", async () => {
    const { url, resumedFrom } = await serve((_request, response) => {
      response.writeHead(403, { "content-type": "application/problem+json" });
      response.end(JSON.stringify({ code: "http/origin-refused", title: "no", data: {}, retryable: false }));
    });
    const { end } = await follow(url, () => false);
    expect(end).toMatchObject({ status: "failed", error: { code: "http/origin-refused" } });
    expect(resumedFrom).toHaveLength(1);
  });

  test("a connection that says nothing is given up", async () => {
    const { url } = await serve((_request, response) => stream(response, ""));
    const { states } = await follow(url, (_events, seen) => seen.at(-1)?.status === "waiting", {
      silent: true,
    });
    expect(states.at(-2)).toMatchObject({ status: "waiting", error: { code: "transport/closed" } });
  });

  test("an event that cannot be read is an error, one of an unknown kind is skipped", async () => {
    const { url } = await serve((_request, response) =>
      stream(
        response,
        "id: 1\nevent: of-tomorrow\ndata: ?\n\n" + devices(2) + "id: 3\nevent: round\ndata: [\n\n",
      ),
    );
    const { events, end } = await follow(url, () => false);
    expect(events.map((event) => event.id)).toEqual([2]);
    expect(end).toMatchObject({ status: "failed", error: { code: "http/bad-event" } });
  });

  test("the caller's signal ends it, in a wait too", async () => {
    const { url } = await serve((_request, response) => response.destroy());
    const controller = new AbortController();
    const subscription = subscribeEvents(url, {
      signal: controller.signal,
      clock: createVirtualClock(),
      onEvent: () => undefined,
      onState: (state) => {
        if (state.status === "waiting") setImmediate(() => controller.abort());
      },
    });
    expect(await subscription.ended).toEqual({ status: "closed" });
  });
});
