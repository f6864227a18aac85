import { silentLogger } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { buildLinear } from "@tributary/onnx";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createInProcessBus } from "../../src/adapters/bus/in-process-bus.ts";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { DEFAULT_LIMITS } from "../../src/config.ts";
import { createEventStreams, type EventStreams } from "../../src/http/event-streams.ts";
import type { Bus } from "../../src/ports/bus.ts";
import type { MetadataStore } from "../../src/ports/metadata-store.ts";
import type { StorageProblem } from "../../src/storage-health.ts";
import { asOperator, runningCoordinator } from "../running-coordinator.ts";
import { readEvents, type SseReader } from "../sse-reader.ts";

describe("event streams", () => {
  const clock = createVirtualClock();
  let store: MetadataStore;
  let bus: Bus;
  let streams: EventStreams;
  let server: Server;
  let url: string;
  let readers: SseReader[];
  let problem: StorageProblem | null = null;

  beforeEach(async () => {
    store = await openSqlMetadataStore({ path: ":memory:" });
    bus = createInProcessBus(silentLogger);
    streams = createEventStreams({
      store,
      bus,
      clock,
      limits: { ...DEFAULT_LIMITS, maxEventStreams: 3, maxEventBufferBytes: 64 * 1024 },
      devices: () => ({ connected: 2, training: 1 }),
      storageProblem: () => problem,
      newestEventId: 0,
    });
    readers = [];
    server = createServer((request, response) => {
      const id = request.headers["last-event-id"];
      try {
        streams.open(response, {}, typeof id === "string" ? id : undefined);
      } catch {
        response.writeHead(429).end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterEach(async () => {
    for (const reader of readers) reader.close();
    streams.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await bus.close();
    await store.close();
  });

  async function open(lastEventId?: number | string): Promise<SseReader> {
    const reader = await readEvents(
      url,
      lastEventId === undefined ? {} : { "last-event-id": String(lastEventId) },
    );
    readers.push(reader);
    return reader;
  }

  /** Logs and publishes, as the rooms do. */
  async function happen(...numbers: number[]): Promise<number[]> {
    const logged = await store.events.append(
      numbers.map((number) => ({ type: "round" as const, data: { number } })),
      1,
    );
    for (const event of logged) await bus.publish("event", event);
    return logged.map((event) => event.id);
  }

  /** What a stream begins with: how things stand. */
  async function begun(reader: SseReader): Promise<void> {
    await reader.nextOf("storage");
  }

  test("a new stream begins with how things stand and the id to resume from", async () => {
    const [newest] = await happen(1);
    const reader = await open();
    expect(reader.headers["content-type"]).toContain("text/event-stream");
    const first = await reader.next();
    expect(first).toEqual({ id: newest, type: "devices", data: { connected: 2, training: 1 } });
    expect(await reader.next()).toEqual({ id: newest, type: "storage", data: { problem: null } });
    expect(reader.text()).toContain("retry: ");
    const [id] = await happen(2);
    expect(await reader.next()).toEqual({ id, type: "round", data: { number: 2 } });
  });

  test("who comes while nothing can be stored is told so", async () => {
    problem = { code: "store/quota-exceeded", since: 60_000 };
    try {
      const { data } = await (await open()).nextOf("storage");
      expect(data).toEqual({
        problem: { code: "store/quota-exceeded", since: "1970-01-01T00:01:00.000Z" },
      });
    } finally {
      problem = null;
    }
  });

  test("a stream that resumes gets what it missed, once and in order, and goes on live", async () => {
    const ids = await happen(1, 2, 3);
    const reader = await open(ids[0]);
    void happen(4, 5);
    const numbers: unknown[] = [];
    while (numbers.length < 4) numbers.push((await reader.nextOf("round")).data);
    expect(numbers).toEqual([2, 3, 4, 5].map((number) => ({ number })));
    const [last] = await happen(6);
    expect(await reader.next()).toEqual({ id: last, type: "round", data: { number: 6 } });
  });

  test("more than a page is replayed without a gap", async () => {
    await happen(...Array.from({ length: 1200 }, (_, index) => index));
    const reader = await open(0);
    for (let number = 0; number < 1200; number++)
      expect((await reader.nextOf("round")).data).toEqual({ number });
  });

  test.each([
    ["that was forgotten", async () => 1],
    ["that was never given out", async () => 999_999],
    ["that is none", async () => "abc"],
  ])("an id %s means: read everything again", async (_, id) => {
    await happen(1, 2, 3, 4, 5);
    await store.events.prune(2);
    const reader = await open(await id());
    const { newest } = await store.events.bounds();
    expect(await reader.next()).toEqual({ id: newest, type: "reset", data: {} });
    const [next] = await happen(6);
    expect((await reader.nextOf("round")).id).toBe(next);
  });

  test("events that are published the other way round are sent by id, and none is lost", async () => {
    const reader = await open();
    await begun(reader);
    const logged = await store.events.append(
      [1, 2, 3].map((number) => ({ type: "round" as const, data: { number } })),
      1,
    );
    for (const index of [1, 0, 2]) await bus.publish("event", logged[index]!);
    const seen = [await reader.nextOf("round"), await reader.nextOf("round"), await reader.nextOf("round")];
    expect(seen.map(({ data }) => data)).toEqual([{ number: 1 }, { number: 2 }, { number: 3 }]);
    const [next] = await happen(4);
    expect((await reader.nextOf("round")).id).toBe(next);
  });

  test("what was shown before a replayed event does not come after it", async () => {
    const after = store.events.after.bind(store.events);
    let reading = true;
    // The log as it is read by a stream that opens: a round is shown, then ends, before the first page is there.
    Object.defineProperty(store, "events", {
      value: {
        ...store.events,
        async after(...page: Parameters<typeof after>) {
          if (reading) {
            reading = false;
            await bus.publish("event", { id: null, type: "round", data: { number: 1, open: true }, at: 1 });
            await happen(1);
          }
          return after(...page);
        },
      },
    });
    const reader = await open();
    await begun(reader);
    expect((await reader.nextOf("round")).data).toEqual({ number: 1 });
    await happen(2);
    expect((await reader.nextOf("round")).data).toEqual({ number: 2 });
  });

  test("what is not logged carries no id", async () => {
    const reader = await open();
    await begun(reader);
    await bus.publish("devices", { connected: 9, training: 0 });
    expect(await reader.next()).toEqual({
      id: undefined,
      type: "devices",
      data: { connected: 9, training: 0 },
    });
    await bus.publish("event", { id: null, type: "round", data: { number: 0 }, at: 1 });
    expect(await reader.next()).toEqual({ id: undefined, type: "round", data: { number: 0 } });
  });

  test("a heartbeat is a comment", async () => {
    const reader = await open();
    await begun(reader);
    clock.advance(DEFAULT_LIMITS.eventHeartbeatMs);
    await happen(1);
    await reader.nextOf("round");
    expect(reader.text()).toContain("\n\n:\n\n");
  });

  test("a reader that stopped reading is cut off; the others go on", async () => {
    const slow = await open();
    const quick = await open();
    await begun(slow);
    await begun(quick);
    slow.pause();
    const data = { text: "x".repeat(100_000) };
    for (let sent = 0; streams.count === 2 && sent < 500; sent++) {
      await bus.publish("event", { id: null, type: "round", data, at: 1 });
      await quick.nextOf("round");
    }
    expect(streams.count).toBe(1);
  });

  test("there is a limit to streams, and room again when one ends", async () => {
    const [first] = await Promise.all([open(), open(), open()]);
    expect((await open()).headers["status"]).toBe(429);
    first.close();
    for (;;) {
      const reader = await open();
      if (reader.headers["status"] === 200) break;
      await reader.closed;
    }
    expect(streams.count).toBe(3);
  });

  test("what happens as streams are closed comes before their end", async () => {
    const reader = await open();
    await begun(reader);
    await bus.publish("devices", { connected: 9, training: 3 });
    streams.close();
    await reader.closed;
    expect(reader.text()).toContain('"connected":9');
  });

  test("closing ends all streams", async () => {
    const reader = await open();
    await begun(reader);
    streams.close();
    await reader.closed;
    expect(streams.count).toBe(0);
  });
});

test("publishing is seen on the coordinator's stream, and a later one resumes", async () => {
  const coordinator = await runningCoordinator();
  const headers = asOperator(coordinator.operatorToken);
  const reader = await readEvents(`${coordinator.url}/v1/events`, headers);
  const { id } = await reader.next();
  const onnx = buildLinear({ seed: "events" });
  await coordinator.request("/v1/models/digits/versions", {
    method: "POST",
    operator: true,
    headers: { "content-type": "application/octet-stream" },
    body: onnx,
  });
  const event = await reader.nextOf("version");
  expect(event.data).toMatchObject({ model: "digits", version: 1 });
  const notes = { intendedUse: "Digits of one hand" };
  await coordinator.request("/v1/models/digits/card-notes", {
    method: "PUT",
    operator: true,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(notes),
  });
  for (;;) {
    const { data } = await reader.nextOf("record");
    if ((data as { readonly action: string }).action !== "model.notes") continue;
    expect(data).toEqual({ action: "model.notes", model: "digits", task: null });
    break;
  }
  const later = await readEvents(`${coordinator.url}/v1/events?lastEventId=${id}`, headers);
  expect((await later.nextOf("version")).id).toBe(event.id);
  // Closing does not wait for streams.
  await coordinator.end();
  await reader.closed;
  await later.closed;
});
