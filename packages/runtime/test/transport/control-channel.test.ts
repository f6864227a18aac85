import { TributaryError } from "@tributary/core";
import { createInsecureTestRandom, createVirtualClock } from "@tributary/core/testing";
import { silentLogger } from "@tributary/core";
import {
  decodeDeviceMessage,
  encodeServerMessage,
  type DeviceMessage,
  type ServerMessage,
} from "@tributary/protocol";
import { expect, test } from "vitest";
import { createControlChannel, type ConnectionChange } from "../../src/transport/control-channel.ts";
import { backoffMs } from "../../src/transport/retry.ts";
import type { OpenSocket, SocketHandlers } from "../../src/transport/socket.ts";

/** Both ends of sockets in one hand: what the device opened, sent and closed. */
class Wire {
  readonly sent: DeviceMessage[] = [];
  closed = false;
  readonly handlers: SocketHandlers;

  constructor(handlers: SocketHandlers) {
    this.handlers = handlers;
  }

  say(message: ServerMessage): void {
    this.handlers.message(encodeServerMessage(message));
  }

  end(code = 1006): void {
    this.closed = true;
    this.handlers.closed({ code, reason: "" });
  }
}

const CHALLENGE = { type: "challenge", nonce: new Uint8Array(32), minVersion: 1, maxVersion: 1 } as const;
const WELCOME = {
  type: "welcome",
  version: 1,
  deviceId: "0".repeat(32),
  heartbeatIntervalMs: 15_000,
  sessionId: "s",
} as unknown as ServerMessage;

function setUp(options: { certificate?: () => Promise<Uint8Array> } = {}) {
  const clock = createVirtualClock();
  const wires: Wire[] = [];
  const changes: ConnectionChange[] = [];
  const messages: ServerMessage[] = [];
  const discarded: number[] = [];
  const openSocket: OpenSocket = (_, handlers) => {
    const wire = new Wire(handlers);
    wires.push(wire);
    return {
      bufferedBytes: 0,
      send: (frame) => void wire.sent.push(decodeDeviceMessage(frame)),
      close: () => void (wire.closed = true),
    };
  };
  const channel = createControlChannel({
    coordinator: "http://coordinator.example",
    openSocket,
    identity: {
      certificate: options.certificate ?? (async () => new Uint8Array(10)),
      sign: async () => new Uint8Array(64),
      discardCertificate: async () => void discarded.push(clock.now()),
    },
    software: "test",
    env: { clock, random: createInsecureTestRandom(1), log: silentLogger },
    onMessage: (message) => messages.push(message),
    onState: (change) => changes.push(change),
  });
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const last = () => wires.at(-1)!;
  const connect = async (): Promise<Wire> => {
    last().say({ ...CHALLENGE, serverTimeMs: clock.now() + 5000 });
    await settle();
    last().say(WELCOME);
    return last();
  };
  return { clock, wires, changes, messages, discarded, channel, settle, last, connect };
}

test("challenge, hello, welcome; the coordinator's clock is known from the challenge", async () => {
  const { channel, clock, last, connect, changes } = setUp();
  channel.start();
  expect(channel.send({ type: "heartbeat", nonce: 1 })).toBe(false);
  await connect();
  expect(last().sent).toMatchObject([{ type: "hello", version: 1, software: "test" }]);
  expect(channel.state).toBe("connected");
  expect(channel.serverOffsetMs + clock.monotonicMs()).toBe(clock.now() + 5000);
  expect(channel.send({ type: "heartbeat", nonce: 1 })).toBe(true);
  expect(changes.map(({ state }) => state)).toEqual(["connecting", "connected"]);
  channel.close();
});

test("it comes back forever, with delays that double up to a minute and are jittered", async () => {
  const { channel, clock, wires, changes, last } = setUp();
  channel.start();
  const delays: number[] = [];
  for (let attempt = 0; attempt < 40; attempt++) {
    last().end();
    expect(wires.length).toBe(attempt + 1);
    delays.push(clock.nextInMs!);
    expect(changes.at(-1)).toMatchObject({ state: "offline", retryInMs: clock.nextInMs });
    clock.advanceToNext();
  }
  expect(wires.length).toBe(41);
  delays.forEach((delay, attempt) => {
    const full = Math.min(250 * 2 ** attempt, 60_000);
    expect(delay).toBeGreaterThanOrEqual(full / 2);
    expect(delay).toBeLessThanOrEqual(full);
  });
  expect(new Set(delays.slice(10)).size).toBeGreaterThan(20);
  channel.close();
});

test("a session that lasted begins the next backoff anew; one that did not goes on with it", async () => {
  const { channel, clock, last, connect } = setUp();
  channel.start();
  for (let i = 0; i < 8; i++) {
    last().end();
    clock.advanceToNext();
  }
  (await connect()).end();
  expect(clock.nextInMs).toBeGreaterThan(10_000);
  clock.advanceToNext();
  const wire = await connect();
  clock.advance(10_000);
  wire.end();
  expect(clock.nextInMs).toBeLessThanOrEqual(250);
  channel.close();
});

test("heartbeats while idle; a connection that hears nothing is given up", async () => {
  const { channel, clock, connect, wires, changes } = setUp();
  channel.start();
  const wire = await connect();
  clock.advance(15_000);
  expect(wire.sent.at(-1)).toEqual({ type: "heartbeat", nonce: 1 });
  wire.say({ type: "heartbeat-ack", nonce: 1 });
  clock.advance(30_000);
  expect(wire.sent.filter(({ type }) => type === "heartbeat").length).toBe(3);
  expect(wire.closed).toBe(false);
  clock.advance(15_000);
  expect(wire.closed).toBe(true);
  expect(changes.at(-1)).toMatchObject({ state: "offline", error: { code: "protocol/idle-timeout" } });
  clock.advance(1000);
  expect(wires.length).toBe(2);
  // What the old connection still says is not heard.
  wire.say({ type: "wait", task: "t" as never, retryAfterMs: 0, windowMs: 0 });
  channel.close();
});

test("a handshake that hangs is given up, at either step", async () => {
  const { channel, clock, last, settle, changes, wires } = setUp();
  channel.start();
  clock.advance(15_000);
  expect(changes.at(-1)).toMatchObject({ state: "offline", error: { code: "core/timeout" } });
  clock.advance(1000);
  expect(wires.length).toBe(2);
  last().say({ ...CHALLENGE, serverTimeMs: 0 });
  await settle();
  expect(last().sent.length).toBe(1);
  clock.advance(15_000);
  expect(changes.filter(({ state }) => state === "offline").length).toBe(2);
  channel.close();
});

test("a refusal says why; its Retry-After is kept; what cannot succeed is tried rarely", async () => {
  const { channel, clock, last, settle, changes } = setUp();
  channel.start();
  last().say({
    type: "refusal",
    code: "protocol/too-many-connections",
    message: "",
    detail: [],
    retryAfterMs: 30_000,
  });
  last().end(1013);
  await settle();
  expect(changes.at(-1)).toMatchObject({
    state: "offline",
    retryInMs: 30_000,
    error: { code: "protocol/too-many-connections" },
  });
  clock.advanceToNext();
  last().say({ type: "refusal", code: "identity/revoked", message: "", detail: [] });
  last().end(1008);
  clock.advanceToNext();
  last().end();
  expect(clock.nextInMs).toBeGreaterThan(3000);
  channel.close();
});

test("a refusal of a request is no reason for the session's end long after", async () => {
  const { channel, clock, connect, changes, messages } = setUp();
  channel.start();
  const wire = await connect();
  wire.say({
    type: "refusal",
    code: "federation/unknown-task",
    message: "",
    detail: [],
    retryAfterMs: 60_000,
  });
  expect(messages.at(-1)).toMatchObject({ type: "refusal" });
  clock.advance(16_000);
  wire.say({ type: "heartbeat-ack", nonce: 1 });
  wire.end();
  expect(changes.at(-1)).toMatchObject({ state: "offline", error: { code: "transport/closed" } });
  expect(changes.at(-1)!.retryInMs).toBeLessThan(1000);
  channel.close();
});

test("a refused certificate is discarded before the next try", async () => {
  const { channel, clock, last, settle, discarded, wires } = setUp();
  channel.start();
  last().say({ ...CHALLENGE, serverTimeMs: 0 });
  await settle();
  last().say({ type: "refusal", code: "identity/certificate-expired", message: "", detail: [] });
  last().end(1008);
  await settle();
  expect(discarded.length).toBe(1);
  clock.advanceToNext();
  expect(wires.length).toBe(2);
  channel.close();
});

test("another protocol version, garbage and out-of-order messages end the connection, not the channel", async () => {
  const { channel, clock, last, changes, settle } = setUp();
  const code = () => (changes.at(-1)!.error as TributaryError).code;
  channel.start();
  last().say({ ...CHALLENGE, minVersion: 7, maxVersion: 9, serverTimeMs: 0 });
  expect(code()).toBe("protocol/client-too-old");
  clock.advanceToNext();
  last().handlers.message(Uint8Array.of(250, 1, 2));
  expect(code()).toMatch(/^codec\//);
  clock.advanceToNext();
  last().say(WELCOME);
  expect(code()).toBe("protocol/unexpected-message");
  clock.advanceToNext();
  last().say({ ...CHALLENGE, serverTimeMs: 0 });
  await settle();
  last().say({
    type: "release",
    model: "m" as never,
    channel: "stable",
    version: 1 as never,
    timestampVersion: 1,
  });
  expect(code()).toBe("protocol/unexpected-message");
  channel.close();
});

test("an enrolment that fails is a failed connection", async () => {
  const certificate = async (): Promise<Uint8Array> => {
    throw new TributaryError("identity/invalid-token", "no");
  };
  const { channel, last, settle, changes } = setUp({ certificate });
  channel.start();
  last().say({ ...CHALLENGE, serverTimeMs: 0 });
  await settle();
  expect(changes.at(-1)).toMatchObject({ state: "offline", error: { code: "identity/invalid-token" } });
  channel.close();
});

test("closing ends the connection or the wait for it, leaves no timer, and may be repeated", async () => {
  for (const when of ["connecting", "connected", "waiting"] as const) {
    const { channel, clock, last, connect, changes, wires } = setUp();
    channel.start();
    if (when === "connected") await connect();
    if (when === "waiting") last().end();
    channel.close();
    channel.close();
    expect([when, clock.pendingTimers, channel.state]).toEqual([when, 0, "closed"]);
    expect(changes.at(-1)).toEqual({ state: "closed" });
    if (when !== "waiting") expect(last().closed).toBe(true);
    channel.nudge();
    last().end();
    expect(wires.length).toBe(1);
  }
});

test("a nudge tries at once", () => {
  const { channel, last, wires, clock } = setUp();
  channel.start();
  last().end();
  channel.nudge();
  expect(wires.length).toBe(2);
  expect(clock.pendingTimers).toBe(1);
  channel.close();
});

test("jitter covers the upper half of the delay", () => {
  const random = createInsecureTestRandom(2);
  const delays = Array.from({ length: 500 }, () => backoffMs(3, random));
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(1000);
  expect(Math.max(...delays)).toBeLessThanOrEqual(2000);
  expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(900);
});
