import { failure } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openLog, type CoordinatorLogOptions } from "../../../src/observability/logging/coordinator-log.ts";
import { withinRequest } from "../../../src/observability/logging/request-context.ts";
import { bodyMaker, publishTask, rooms } from "../../rounds/rounds-room.ts";

async function logInMemory(options: Partial<CoordinatorLogOptions> = {}) {
  const lines: string[] = [];
  const { log, pino } = await openLog({
    level: "debug",
    format: "json",
    clock: createVirtualClock({ startMs: Date.UTC(2026, 0, 1) }),
    secrets: [],
    stream: { write: (line) => void lines.push(line) },
    ...options,
  });
  const entries = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, pino, lines, entries };
}

describe("a log line", () => {
  test("is one JSON object with its time, level, text and fields", async () => {
    const { log, lines, entries } = await logInMemory();
    log.child({ roundId: "digits/1" }).warn("update refused", {
      device: "d1",
      error: failure("update/truncated", "rounds: 3 bytes", { detail: { got: 3 } }),
    });
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(entries()).toEqual([
      {
        level: "warn",
        time: "2026-01-01T00:00:00.000Z",
        roundId: "digits/1",
        device: "d1",
        error: { code: "update/truncated", message: "rounds: 3 bytes", got: 3 },
        msg: "update refused",
      },
    ]);
  });

  test("is written from its level on, and not at all where it is silent", async () => {
    const warn = await logInMemory({ level: "warn" });
    for (const level of ["debug", "info", "warn", "error"] as const) warn.log[level](level);
    warn.pino.info("of the server");
    expect(warn.entries().map(({ msg }) => msg)).toEqual(["warn", "error"]);
    const silent = await logInMemory({ level: "silent" });
    silent.log.error("nothing");
    silent.pino.error("nothing");
    expect(silent.lines).toEqual([]);
  });

  test("says the request it was written for, and the trace", async () => {
    const { log, entries } = await logInMemory({ traceFields: () => ({ trace_id: "t", span_id: "s" }) });
    withinRequest({ requestId: "r1" }, () => log.info("within"));
    log.info("outside");
    expect(entries()).toMatchObject([
      { requestId: "r1", trace_id: "t", span_id: "s", msg: "within" },
      { trace_id: "t", msg: "outside" },
    ]);
    expect(entries()[1]).not.toHaveProperty("requestId");
  });

  test("hides secrets, whoever writes it", async () => {
    const { log, pino, lines } = await logInMemory({ secrets: ["the-operators-own-token"] });
    log.info("given the-operators-own-token", {
      token: "abc-1",
      url: "http://a:abc-2@b/?access_token=abc-3",
    });
    pino.error({ err: new Error("Bearer abc-4567890123456"), headers: { authorization: "abc-5" } }, "failed");
    pino.child({ password: "abc-6" }).info("child");
    expect(lines).toHaveLength(3);
    expect(lines.join("")).not.toMatch(/the-operators-own-token|abc-\d/);
  });

  test("can be made for people", async () => {
    const { log, lines } = await logInMemory({ format: "pretty", secrets: ["the-operators-own-token"] });
    log.warn("round abandoned", { roundId: "digits/1", why: "the-operators-own-token" });
    const text = lines.join("");
    expect(text).toMatch(/WARN.*round abandoned/);
    expect(text).toMatch(/roundId: "digits\/1"/);
    expect(text).toContain("[hidden]");
  });
});

describe("a device in a round", () => {
  const { open, dispose } = rooms();
  afterEach(dispose);

  test("can be followed by its id and the round's, over socket and HTTP", async () => {
    const { log, pino, entries } = await logInMemory();
    const room = await open({ log }, { logger: pino });
    await publishTask(room, { rounds: 1 });
    const body = await bodyMaker(room);
    const [followed, ...others] = await Promise.all([room.device(), room.device(), room.device()]);
    for (const device of [followed!, ...others]) device.checkIn();
    const [offer] = await Promise.all([followed!, ...others].map((device) => device.report(body)));
    await followed!.socket.next("outcome");
    await vi.waitFor(() => expect(entries().some(({ msg }) => msg === "round committed")).toBe(true));

    const { roundId } = offer!;
    const device = followed!.identity.deviceId;
    const own = entries().filter((entry) => entry["device"] === device);
    const inRound = own.filter((entry) => entry["roundId"] === roundId);
    const steps = inRound.map(
      ({ did, told, method, status }) => did ?? told ?? `${String(method)} ${String(status)}`,
    );
    expect(steps.filter((step) => step !== "wait")).toEqual([
      "check-in",
      "offer",
      "ready",
      "request-report",
      "report-accepted",
      "PUT 202",
      "outcome",
    ]);
    expect(inRound.every(({ task, method }) => task === "digits" || method === "PUT")).toBe(true);
    const connected = own.find(({ msg }) => msg === "gateway: device connected");
    expect(connected).toHaveProperty("session");
    // The upload's id is on what was written while it was answered.
    const upload = inRound.find(({ method }) => method === "PUT");
    expect(inRound.find(({ did }) => did === "report-accepted")).toMatchObject({
      requestId: upload!["requestId"],
    });
    // What the last upload set off is the round's, not that upload's.
    const committed = entries().find(({ msg }) => msg === "round committed")!;
    expect(committed).toMatchObject({ roundId, task: "digits", version: 2 });
    expect(committed).not.toHaveProperty("requestId");
    // Devices are known by their random ids: no address, no certificate, no text of a token.
    expect(JSON.stringify([...own, committed])).not.toMatch(/127\.0\.0\.1|remoteAddress|subject/);
  });
});
