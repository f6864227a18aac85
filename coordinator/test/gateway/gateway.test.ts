import { connect } from "node:net";
import { once } from "node:events";
import { setImmediate } from "node:timers/promises";
import { asModelName, asModelVersion, asPopulationName, asTaskName } from "@tributary/core";
import { encodeDeviceMessage, helloMessage, LIMITS } from "@tributary/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { exampleModel, exampleRelease, exampleVersion } from "../../src/testing/index.ts";
import { DeviceSocket, enrolDevice } from "../device-socket.ts";
import { openGateway, type GatewayRoom } from "./gateway-room.ts";

let room: GatewayRoom | undefined;
afterEach(async () => {
  await room?.close();
  room = undefined;
});

async function open(limits?: Parameters<typeof openGateway>[0]): Promise<GatewayRoom> {
  room = await openGateway(limits);
  return room;
}

const task = asTaskName("digits");

describe("greeting", () => {
  test("a device with a good certificate gets a session, its messages reach the handler", async () => {
    const { device, gateway, told, messages } = await open();
    const socket = await device();
    expect(gateway.counts()).toEqual({ connected: 1, training: 0 });
    socket.send({ type: "check-in", task, examples: 7 });
    const refused = { model: asModelName("digits"), version: asModelVersion(7), code: "engine/load-failed" };
    socket.send({ type: "refused-version", ...refused });
    socket.send({ type: "heartbeat", nonce: 9 });
    expect(await socket.next("heartbeat-ack")).toEqual({ type: "heartbeat-ack", nonce: 9 });
    expect(messages).toEqual([{ type: "check-in", task, examples: 7 }]);
    await socket.close();
    await vi.waitFor(() =>
      expect(told.map((line) => line.split(" ")[0])).toEqual([
        "connected",
        "check-in",
        "refused",
        "disconnected",
      ]),
    );
  });

  test("a proof by another key, a stranger's certificate, a revoked device are refused with a code", async () => {
    const { url, identity, store, enrolment } = await open();
    const one = await identity();
    const two = await identity();
    const refusedWith = async (socket: DeviceSocket) => {
      const { code } = await socket.next("refusal");
      await socket.closed;
      return code;
    };

    const forged = new DeviceSocket(url);
    await expect(forged.greet({ ...one, sign: two.sign })).rejects.toThrow("closed");
    expect(await refusedWith(forged)).toBe("identity/invalid-proof");

    const otherRoom = await openGateway();
    const stranger = new DeviceSocket(url);
    await expect(stranger.greet(await otherRoom.identity())).rejects.toThrow("closed");
    expect(await refusedWith(stranger)).toBe("identity/invalid-certificate");
    await otherRoom.close();

    await store.devices.setState(two.deviceId, "revoked");
    const revoked = new DeviceSocket(url);
    await expect(revoked.greet(two)).rejects.toThrow("closed");
    expect(await refusedWith(revoked)).toBe("identity/revoked");

    const old = new DeviceSocket(url);
    await expect(old.greet(one, 9)).rejects.toThrow("closed");
    expect(await refusedWith(old)).toBe("protocol/server-too-old");
    expect(enrolment.issuerPublicKey).toHaveLength(32);
  });

  test("a hello of another connection cannot be played again", async () => {
    const { url, identity } = await open();
    const one = await identity();
    const first = new DeviceSocket(url);
    const { nonce } = await first.next("challenge");
    const signature = await one.sign(helloMessage(nonce, one.certificate));
    const second = new DeviceSocket(url);
    await second.next("challenge");
    second.send({ type: "hello", version: 1, certificate: one.certificate, signature, software: "replay" });
    expect((await second.next("refusal")).code).toBe("identity/invalid-proof");
    await first.close();
  });

  test("anything before hello is refused", async () => {
    const { url } = await open();
    const socket = new DeviceSocket(url);
    await socket.next("challenge");
    socket.send({ type: "check-in", task, examples: 1 });
    expect((await socket.next("refusal")).code).toBe("protocol/unexpected-message");
    await socket.closed;
  });

  test("a newer connection replaces the older one, which hears why", async () => {
    const { url, identity, told, gateway } = await open();
    const one = await identity();
    const older = await DeviceSocket.connect(url, one);
    const newer = await DeviceSocket.connect(url, one);
    const refusal = await older.next("refusal");
    expect(refusal.code).toBe("protocol/replaced");
    expect(refusal.retryAfterMs).toBeUndefined();
    await older.closed;
    expect(told.map((line) => line.split(" ")[0])).toEqual(["connected", "disconnected", "connected"]);
    expect(gateway.isConnected(one.deviceId)).toBe(true);
    expect(gateway.send(one.deviceId, { type: "wait", task, retryAfterMs: 5, windowMs: 0 })).toBe(true);
    expect((await newer.next("wait")).retryAfterMs).toBe(5);
  });
});

describe("origins", () => {
  test("programs and allowed pages may connect, others may not", async () => {
    const { url, device, identity } = await open();
    await device();
    await device({ origin: "https://app.example" });
    const evil = new DeviceSocket(url, { origin: "https://evil.example" });
    await evil.closed;
    expect(evil.received).toEqual([]);
    // The coordinator's own pages too.
    await DeviceSocket.connect(url, await identity(), { origin: url });
  });

  test("a page is only a device of its own population", async () => {
    const { url, enrolment } = await open();
    const other = await enrolDevice(enrolment, asPopulationName("factory"));
    const page = new DeviceSocket(url, { origin: "https://app.example" });
    await expect(page.greet(other)).rejects.toThrow("closed");
    expect((await page.next("refusal")).code).toBe("http/origin-refused");
    await DeviceSocket.connect(url, other);
  });

  test.each([
    ["another host", { host: "rebound.example" }, 421],
    ["another subprotocol", { subprotocol: "chat" }, 400],
  ])("%s gets no connection", async (_, options, status) => {
    const { url } = await open();
    const socket = new DeviceSocket(url, options);
    const [, response] = (await once(socket.socket, "unexpected-response")) as [
      unknown,
      { statusCode: number },
    ];
    expect(response.statusCode).toBe(status);
    socket.socket.terminate();
  });
});

// Issue 2, D.
describe("what is not a device", () => {
  test.each([
    ["garbage bytes", Uint8Array.of(1, 2, 3, 255), /^codec\//],
    ["an empty message", new Uint8Array(), /^codec\/truncated/],
    ["a frame above the cap", new Uint8Array(LIMITS.maxFrameBytes + 1), /^protocol\/frame-too-large/],
    ["text", "hello", /^protocol\/text-frame/],
  ])("%s is refused with a code and closed; others notice nothing", async (_, data, code) => {
    const { url, device } = await open();
    const good = await device();
    const bad = new DeviceSocket(url);
    await bad.next("challenge");
    bad.socket.send(data);
    expect((await bad.next("refusal")).code).toMatch(code);
    await bad.closed;
    good.send({ type: "heartbeat", nonce: 1 });
    await good.next("heartbeat-ack");
  });

  test("a frame far above the cap is cut off before it is read", async () => {
    const { url, device } = await open();
    const bad = await device();
    bad.socket.send(new Uint8Array(8 * 1024 * 1024));
    expect((await bad.closed).code).toBe(1009);
    await DeviceSocket.prototype.close.call(bad);
    expect((await fetch(url)).ok).toBe(true);
  });

  test("bytes that are no WebSocket frames end the connection only", async () => {
    const { port, device } = await open();
    const good = await device();
    const raw = connect(port, "127.0.0.1");
    raw.write(
      "GET /v1/connect HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tributary.v1\r\n\r\n",
    );
    await once(raw, "data");
    raw.on("error", () => {});
    raw.write(Buffer.alloc(5_000, 0xff));
    await once(raw, "close");
    good.send({ type: "heartbeat", nonce: 1 });
    await good.next("heartbeat-ack");
  });

  test("too many messages are refused with the time to wait", async () => {
    const { device } = await open({ messageBurst: 5, messagesPerSecond: 0.5 });
    const socket = await device();
    const frame = encodeDeviceMessage({ type: "heartbeat", nonce: 1 });
    for (let i = 0; i < 10; i++) socket.socket.send(frame);
    const refusal = await socket.next("refusal");
    expect(refusal.code).toBe("protocol/too-many-messages");
    expect(refusal.retryAfterMs).toBeGreaterThan(0);
    await socket.closed;
  });
});

describe("silence", () => {
  test("without a hello in time, and without a sign of life, a connection is closed", async () => {
    const { url, device, told } = await open({ helloTimeoutMs: 600, idleTimeoutMs: 1_200 });
    const silent = new DeviceSocket(url);
    const idle = await device();
    const alive = await device();
    const beat = setInterval(() => alive.send({ type: "heartbeat", nonce: 1 }), 200);
    expect((await silent.next("refusal")).code).toBe("protocol/hello-timeout");
    await silent.closed;
    expect((await idle.next("refusal")).code).toBe("protocol/idle-timeout");
    await idle.closed;
    clearInterval(beat);
    expect(alive.socket.readyState).toBe(alive.socket.OPEN);
    expect(told.filter((line) => line.startsWith("disconnected"))).toHaveLength(1);
  });

  test("a half-open socket, whose peer never answers the close, is cut", async () => {
    const { port, gateway, told } = await open({ helloTimeoutMs: 300 });
    const raw = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    raw.on("error", () => {});
    raw.write(
      "GET /v1/connect HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tributary.v1\r\n\r\n",
    );
    await once(raw, "data");
    raw.resume();
    await once(raw, "end");
    await once(raw.destroy(), "close");
    expect(gateway.counts().connected).toBe(0);
    expect(told).toEqual([]);
  });

  test("1,000 connections that say nothing do not keep a device out, or away", async () => {
    const { url, device, told } = await open({ helloTimeoutMs: 3_000 });
    const good = await device();
    const silent = Array.from({ length: 1_000 }, () => new DeviceSocket(url));
    const late = await device();
    for (const socket of [good, late]) {
      socket.send({ type: "heartbeat", nonce: 3 });
      await socket.next("heartbeat-ack");
    }
    const codes = new Set(
      await Promise.all(
        silent.map(async (socket) => {
          const { code } = await socket.next("refusal");
          await socket.closed;
          return code;
        }),
      ),
    );
    expect([...codes].toSorted((a, b) => a.localeCompare(b))).toEqual([
      "protocol/hello-timeout",
      "protocol/too-many-connections",
    ]);
    expect(told.filter((line) => line.startsWith("disconnected"))).toEqual([]);
  });

  test("more connections than allowed get 503", async () => {
    const { url, device } = await open({ maxConnections: 2 });
    await device();
    await device();
    const third = new DeviceSocket(url);
    const [, response] = (await once(third.socket, "unexpected-response")) as [
      unknown,
      { statusCode: number; headers: Record<string, string> },
    ];
    expect(response.statusCode).toBe(503);
    expect(response.headers["retry-after"]).toBe("2");
    third.socket.terminate();
  });
});

describe("releases", () => {
  const model = asModelName("digits");
  const release = (version: number) => ({
    model,
    channel: "stable" as const,
    version: asModelVersion(version),
    timestampVersion: version,
    committedAt: 0,
  });

  test("reach every subscriber, and nobody else", async () => {
    const { device, bus } = await open();
    const sockets = await Promise.all(Array.from({ length: 20 }, () => device()));
    for (const socket of sockets.slice(1)) {
      socket.send({ type: "subscribe", model, channel: "stable" });
      socket.send({ type: "heartbeat", nonce: 1 });
      await socket.next("heartbeat-ack");
    }
    await bus.publish("release", release(2));
    for (const socket of sockets.slice(1)) expect((await socket.next("release")).version).toBe(2);
    sockets[0]!.send({ type: "heartbeat", nonce: 2 });
    await sockets[0]!.next("heartbeat-ack");
    expect(sockets[0]!.received).toEqual([]);
  });

  test("are told to those on the channel, and to whoever comes later and runs another version", async () => {
    const { device, bus, store } = await open();
    await store.models.insert(exampleModel());
    for (const version of [1, 2]) await store.versions.insert(exampleVersion(version));
    await store.channels.move({ model, name: "beta", version: asModelVersion(1), releasedAt: 1 });
    await store.releases.apply(exampleRelease(1));
    const [stable, beta, current, none] = await Promise.all(Array.from({ length: 4 }, () => device()));
    const subscribe = async (socket: DeviceSocket, channel: string, runningVersion: number) => {
      socket.send({ type: "subscribe", model, channel, runningVersion: asModelVersion(runningVersion) });
      socket.send({ type: "heartbeat", nonce: 1 });
      await socket.next("heartbeat-ack");
    };
    await subscribe(stable!, "stable", 1);
    await subscribe(beta!, "beta", 2);
    await subscribe(current!, "beta", 1);
    await subscribe(none!, "gamma", 1);
    expect(await stable!.next("release")).toMatchObject({ channel: "stable", version: 2 });
    expect(await beta!.next("release")).toMatchObject({ channel: "beta", version: 1 });
    await bus.publish("release", { ...release(3), channel: "beta" });
    for (const socket of [beta!, current!])
      expect(await socket.next("release")).toMatchObject({ channel: "beta", version: 3 });
    for (const socket of [stable!, none!]) {
      socket.send({ type: "heartbeat", nonce: 2 });
      await socket.next("heartbeat-ack");
      expect(socket.received.filter(({ type }) => type === "release")).toEqual([]);
    }
  });

  test("a peer that does not read is cut, and does not slow the others", async () => {
    const { device, bus, told } = await open({ maxBufferedBytes: 4_096 });
    const stuck = await device();
    const good = await device();
    for (const socket of [stuck, good]) {
      socket.send({ type: "subscribe", model, channel: "stable" });
      socket.send({ type: "heartbeat", nonce: 1 });
      await socket.next("heartbeat-ack");
    }
    stuck.socket.pause();
    // As many as it takes to fill what the system holds for a connection, which is megabytes.
    const cut = () => told.filter((line) => line.startsWith("disconnected"));
    for (let version = 2; cut().length === 0; version++) {
      await bus.publish("release", release(version));
      if (version % 2_000 === 0) await setImmediate();
      expect(version).toBeLessThan(2_000_000);
    }
    expect(cut()).toHaveLength(1);
    stuck.socket.terminate();
    good.send({ type: "heartbeat", nonce: 2 });
    await good.next("heartbeat-ack");
  });
});

test("closing tells every device when to come back, and is over within a second", async () => {
  const { device, gateway, url } = await open();
  const sockets = await Promise.all([device(), device()]);
  const silent = new DeviceSocket(url);
  await silent.next("challenge");
  silent.socket.pause();
  const begun = performance.now();
  await Promise.all([gateway.close(), gateway.close()]);
  expect(performance.now() - begun).toBeLessThan(1_000);
  for (const socket of sockets) {
    const refusal = await socket.next("refusal");
    expect(refusal.code).toBe("protocol/shutting-down");
    expect(refusal.retryAfterMs).toBeGreaterThan(0);
    expect((await socket.closed).code).toBe(1001);
  }
  silent.socket.terminate();
});
