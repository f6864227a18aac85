import { readFile } from "node:fs/promises";
import { silentLogger } from "@tributary/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLog } from "../../../src/observability/logging/coordinator-log.ts";
import { activeTraceFields, openTracing } from "../../../src/observability/tracing/tracing.ts";
import { createVirtualClock } from "@tributary/core/testing";
import { bodyMaker, OPERATOR, publishTask, rooms } from "../../rounds/rounds-room.ts";
import { otlpReceiver, type ReceivedSpan } from "./otlp-receiver.ts";

const GUIDE = new URL("../../../observability/README.md", import.meta.url);
/** W3C Trace Context, its own example. */
const PARENT = { trace: "4bf92f3577b34da6a3ce929d0e0e4736", span: "00f067aa0ba902b7" };

const { open, dispose } = rooms();
let spans: readonly ReceivedSpan[];
let paths: readonly string[];
let lines: readonly Record<string, unknown>[];
let answered: Headers;
let ignored: Headers;
let devices: readonly string[];

/** A round over real sockets, its spans sent to a collector. */
beforeAll(async () => {
  const receiver = await otlpReceiver();
  const tracing = await openTracing({
    config: { endpoint: receiver.url },
    version: "1.2.3",
    log: silentLogger,
  });
  const written: string[] = [];
  const { log, pino } = await openLog({
    level: "debug",
    format: "json",
    clock: createVirtualClock(),
    secrets: [],
    traceFields: activeTraceFields,
    stream: { write: (line) => void written.push(line) },
  });
  try {
    const room = await open({ log }, { logger: pino, tracing });
    await publishTask(room, { rounds: 1 });
    const body = await bodyMaker(room);
    const all = await Promise.all([room.device(), room.device(), room.device()]);
    devices = all.map(({ identity }) => identity.deviceId);
    for (const device of all) device.checkIn();
    const [offer] = await Promise.all(all.map((device) => device.report(body)));
    await Promise.all(all.map(({ socket }) => socket.next("outcome")));
    const ask = (authorization: string) =>
      fetch(`${room.url}/v1/blobs/${"0".repeat(64)}?secret=s`, {
        headers: { authorization, traceparent: `00-${PARENT.trace}-${PARENT.span}-01` },
      });
    answered = (await ask(OPERATOR)).headers;
    ignored = (await ask("Bearer another")).headers;
    expect(offer?.round).toBe(1);
    await room.stop();
    await tracing.close();
    ({ spans, paths } = receiver);
    lines = written.map((line) => JSON.parse(line) as Record<string, unknown>);
  } finally {
    await receiver.close();
  }
}, 120_000);
afterAll(dispose);

/** `name(child child(grandchild))`, children by when they began. */
function treeOf(root: ReceivedSpan): string {
  const children = spans
    .filter(({ parentSpanId }) => parentSpanId === root.spanId)
    .toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)));
  return children.length === 0 ? root.name : `${root.name}(${children.map(treeOf).join(" ")})`;
}

describe("a round's trace", () => {
  const round = () => spans.find(({ name }) => name === "round")!;
  const named = (name: string) =>
    spans.find((span) => span.name === name && span.traceId === round().traceId)!;

  test("is one tree over gateway, aggregation, evaluation and registry", () => {
    expect(paths.every((path) => path === "POST /v1/traces application/json")).toBe(true);
    expect(round().parentSpanId ?? "").toBe("");
    expect(treeOf(round())).toBe(
      "round(gateway.check-in gateway.training gateway.upload aggregation.fold " +
        "aggregation(aggregation.mean aggregation.server-optimizer evaluation.run(evaluation.worker) " +
        "registry.commit(registry.write registry.sign registry.store registry.push)))",
    );
    // Nothing of the trace is outside of the tree.
    const inTrace = spans.filter(({ traceId }) => traceId === round().traceId);
    expect(inTrace).toHaveLength(
      treeOf(round())
        .split(/[ ()]+/)
        .filter(Boolean).length,
    );
    for (const { resource, scope } of inTrace) {
      expect(resource).toMatchObject({ "service.name": "tributary-coordinator", "service.version": "1.2.3" });
      expect(scope).toBe("@tributary/coordinator");
    }
  });

  test("says what the round was and what became of it", () => {
    expect(round().attributes).toMatchObject({
      "tributary.round.id": "digits-1",
      "tributary.round.number": 1,
      "tributary.round.purpose": "train",
      "tributary.round.secure": false,
      "tributary.round.outcome": "committed",
      "tributary.task": "digits",
      "tributary.model": "digits",
      "tributary.base_version": 1,
      "tributary.version": 2,
      "tributary.devices.offered": 3,
      "tributary.devices.reported": 3,
    });
    expect(named("aggregation.fold").attributes).toMatchObject({ "tributary.fold.updates": 3 });
    expect(named("aggregation.server-optimizer").attributes).toEqual({ "tributary.strategy": "fedAvg" });
    // Spans lie within those that they belong to.
    for (const span of spans.filter(({ traceId }) => traceId === round().traceId)) {
      const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
      if (parent === undefined) continue;
      expect(
        Number(BigInt(span.startTimeUnixNano) - BigInt(parent.startTimeUnixNano)),
      ).toBeGreaterThanOrEqual(0);
      expect(Number(BigInt(parent.endTimeUnixNano) - BigInt(span.endTimeUnixNano))).toBeGreaterThanOrEqual(0);
    }
  });

  test("has links to what devices said, and no spans of it", () => {
    const linked = (name: string, message: string) =>
      named(name).links.filter(({ attributes }) => attributes["tributary.message"] === message);
    const checkIns = [...linked("gateway.check-in", "check-in"), ...linked("gateway.training", "check-in")];
    expect(new Set(checkIns.map(({ attributes }) => attributes["tributary.device"]))).toEqual(
      new Set(devices),
    );
    for (const { spanId } of checkIns)
      expect(spans.find((span) => span.spanId === spanId)).toMatchObject({
        name: "GET /v1/connect",
        kind: 2,
      });
    const uploads = linked("gateway.upload", "report-accepted");
    expect(new Set(uploads.map(({ attributes }) => attributes["tributary.device"]))).toEqual(
      new Set(devices),
    );
    for (const { spanId, attributes } of uploads)
      expect(spans.find((span) => span.spanId === spanId)).toMatchObject({
        name: "PUT /v1/rounds/:roundId/updates/:digest",
        kind: 2,
        attributes: {
          "http.request.method": "PUT",
          "http.route": "/v1/rounds/:roundId/updates/:digest",
          "http.response.status_code": 202,
          "url.scheme": "http",
          "tributary.round.id": "digits-1",
          "tributary.device": attributes["tributary.device"],
        },
      });
  });

  test("is on the round's log lines, and a request's span on its own", () => {
    const committed = lines.find(({ msg }) => msg === "round committed");
    expect(committed).toMatchObject({ trace_id: round().traceId, span_id: round().spanId });
    const upload = lines.find(({ method }) => method === "PUT")!;
    expect(spans.find(({ spanId }) => spanId === upload["span_id"])).toMatchObject({
      traceId: upload["trace_id"],
    });
    expect(upload["trace_id"]).not.toBe(round().traceId);
  });
});

describe("a client's traceparent", () => {
  const requests = () => spans.filter(({ name }) => name === "GET /v1/blobs/:digest");

  test("is taken from operators", () => {
    const span = requests().find(({ traceId }) => traceId === PARENT.trace)!;
    expect(span.parentSpanId).toBe(PARENT.span);
    expect(answered.get("traceparent")).toBe(`00-${PARENT.trace}-${span.spanId}-01`);
    expect(span.attributes).toMatchObject({
      "http.response.status_code": 404,
      "url.path": `/v1/blobs/${"0".repeat(64)}`,
      "tributary.request.id": answered.get("x-request-id"),
    });
    // Of who asks and with what, nothing leaves.
    expect(JSON.stringify(spans)).not.toMatch(/secret=|Bearer|127\.0\.0\.1:\d+"|user_agent|client\./);
  });

  test("is not taken from others", () => {
    expect(requests().filter(({ traceId }) => traceId === PARENT.trace)).toHaveLength(1);
    expect(ignored.get("traceparent")).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(ignored.get("traceparent")).not.toContain(PARENT.trace);
  });
});

test("the guide names every span and attribute, and no other", async () => {
  const guide = await readFile(GUIDE, "utf8");
  const section = /\n## Traces\n(.*?)\n## /s.exec(`${guide}\n## `)![1]!;
  const named = new Set(
    Array.from(section.matchAll(/`([a-z_]+\.[a-z_.-]+|round|aggregation)`/g), ([, name]) => name!),
  );
  const sent = spans.filter(({ name }) => !/^[A-Z]/.test(name)).map(({ name }) => name);
  const attributes = spans.flatMap((span) => [
    ...Object.keys(span.attributes),
    ...span.links.flatMap((link) => Object.keys(link.attributes)),
  ]);
  expect([...new Set([...sent, ...attributes])].filter((name) => !named.has(name))).toEqual([]);
});
