import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { asModelName, asModelVersion, sha256, systemEnv } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseRetryAfter } from "../../src/transport/http-response.ts";
import type { BlobChunk } from "../../src/transport/release-http.ts";
import { transportsTo, type Transports } from "../fixtures/transports.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let server: Server;
let answers: Answer[];
let requests: IncomingMessage[];
let http: Transports;

beforeEach(async () => {
  answers = [];
  requests = [];
  server = createServer((request, response) => {
    requests.push(request);
    request.resume();
    (answers.length > 1 ? answers.shift()! : answers[0]!)(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const coordinator = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  http = transportsTo(coordinator, systemEnv());
});
afterEach(
  () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(resolve);
    }),
);

const reply =
  (status: number, body: string | Uint8Array = "", headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
const coded = (status: number, code: string, headers: Record<string, string> = {}): Answer =>
  reply(status, JSON.stringify({ code, title: "m", status, data: { a: 1 }, retryable: false }), headers);
const limit = { maxBytes: 1000 };

const blob = new Uint8Array(5000).fill(7);
const digest = sha256(blob);
async function collect(offset: number, sizeBytes = blob.length): Promise<BlobChunk[]> {
  const chunks: BlobChunk[] = [];
  for await (const chunk of http.blob({ digest, sizeBytes, offset })) chunks.push(chunk);
  return chunks;
}
const total = (chunks: readonly BlobChunk[]): number =>
  chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);

test("health: one signed report to the device's own path, and what the coordinator says of it", async () => {
  answers = [reply(204), coded(429, "http/too-many-requests", { "retry-after": "7" })];
  const report = {
    formatVersion: 1,
    model: asModelName("digits"),
    version: asModelVersion(3),
    engine: "ort-wasm",
    session: "ab".repeat(16),
    sequence: 1,
    counts: [1],
  } as const;
  const request = { population: "default", certificate: "Y2VydA", proof: "cHJvb2Y", report };
  await http.tellHealth(request);
  await expect(http.tellHealth(request)).rejects.toMatchObject({ code: "http/too-many-requests" });
  const [{ method, url, headers }] = requests as [IncomingMessage, IncomingMessage];
  expect(`${method} ${url}`).toBe("PUT /v1/populations/default/device/health");
  expect(headers).toMatchObject({
    authorization: "Tributary Y2VydA",
    "tributary-proof": "cHJvb2Y",
    "content-length": String(JSON.stringify(report).length),
  });
});

test("metadata: bytes, none, and the server's own error", async () => {
  answers = [reply(200, "hello"), reply(404), coded(410, "core/closed")];
  expect(await http.metadata("timestamp.json", limit)).toEqual(new TextEncoder().encode("hello"));
  expect(await http.metadata("2.root.json", limit)).toBeUndefined();
  await expect(http.metadata("x.json", limit)).rejects.toMatchObject({
    code: "core/closed",
    detail: { a: 1, status: 410 },
  });
  expect(requests.map(({ url }) => url)).toEqual([
    "/v1/tuf/timestamp.json",
    "/v1/tuf/2.root.json",
    "/v1/tuf/x.json",
  ]);
  expect(http.bytesDown).toBe(5);
});

test("requests carry no cookies and no referrer", async () => {
  answers = [reply(200, "", { "Set-Cookie": "a=b" }), reply(200)];
  await http.metadata("a.json", limit);
  await http.metadata("b.json", limit);
  expect(requests[1]!.headers.cookie).toBeUndefined();
  expect(requests[1]!.headers.referer).toBeUndefined();
});

test("an answer longer than allowed is not read to its end", async () => {
  answers = [
    (_, response) => {
      response.writeHead(200);
      const more = (): void => {
        if (response.write(new Uint8Array(64 * 1024)) && !response.destroyed) setImmediate(more);
        else if (!response.destroyed) response.once("drain", more);
      };
      more(); // without end
    },
  ];
  await expect(http.metadata("a.json", limit)).rejects.toMatchObject({ code: "transport/too-large" });
});

test("busy servers are tried again, after what they ask for", async () => {
  answers = [
    coded(503, "http/unavailable", { "Retry-After": "0" }),
    reply(429, "", { "Retry-After": "0" }),
    reply(200, "x"),
  ];
  expect((await http.metadata("a.json", limit))?.length).toBe(1);
  expect(requests.length).toBe(3);
});

test("what will not get better is not tried again", async () => {
  answers = [reply(400, "<html>")];
  await expect(http.metadata("a.json", limit)).rejects.toMatchObject({
    code: "http/bad-request",
    detail: { status: 400 },
  });
  expect(requests.length).toBe(1);
});

test("Retry-After: seconds, a date, nonsense", () => {
  const clock = createVirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  expect(parseRetryAfter("7", clock)).toBe(7000);
  expect(parseRetryAfter("Thu, 01 Jan 2026 00:00:05 GMT", clock)).toBe(5000);
  expect(parseRetryAfter("Wed, 31 Dec 2025 00:00:00 GMT", clock)).toBe(0);
  expect(parseRetryAfter("soon", clock)).toBeUndefined();
  expect(parseRetryAfter(null, clock)).toBeUndefined();
});

test("blobs: whole, from an offset with If-Range, and whole although an offset was asked for", async () => {
  answers = [
    reply(200, blob),
    reply(206, blob.subarray(2000), { "Content-Range": "bytes 2000-4999/5000" }),
    reply(200, blob),
  ];
  expect(total(await collect(0))).toBe(5000);
  const rest = await collect(2000);
  expect([rest[0]!.offset, total(rest)]).toEqual([2000, 3000]);
  const again = await collect(2000);
  expect([again[0]!.offset, total(again)]).toEqual([0, 5000]);
  expect(requests[0]!.headers.range).toBeUndefined();
  expect(requests[1]!.headers).toMatchObject({ range: "bytes=2000-", "if-range": `"${digest}"` });
});

test("blobs: a wrong range, too much, too little, a broken connection", async () => {
  answers = [reply(206, blob, { "Content-Range": "bytes 0-4999/5000" })];
  await expect(collect(2000)).rejects.toMatchObject({ code: "protocol/invalid-response" });
  answers = [reply(200, blob)];
  await expect(collect(0, 4000)).rejects.toMatchObject({ code: "transport/too-large" });
  await expect(collect(0, 6000)).rejects.toMatchObject({ code: "transport/closed", retryable: true });
  answers = [
    (_, response) => {
      response.writeHead(200, { "Content-Length": "5000" });
      response.write(blob.subarray(0, 100), () => response.destroy());
    },
  ];
  await expect(collect(0)).rejects.toMatchObject({ code: "transport/closed", retryable: true });
});

test("an abort ends a request that hangs, with its reason", async () => {
  const reason = new Error("not needed");
  const controller = new AbortController();
  answers = [() => controller.abort(reason)];
  await expect(http.metadata("a.json", { ...limit, signal: controller.signal })).rejects.toBe(reason);
});

test("nobody there: transport/connect-failed, which is retryable", async () => {
  const nobody = transportsTo("http://127.0.0.1:1", systemEnv());
  const call = nobody.blob({ digest, sizeBytes: 1, offset: 0 }).next();
  await expect(call).rejects.toMatchObject({ code: "transport/connect-failed", retryable: true });
});

const upload = {
  path: "/v1/rounds/r/updates/d",
  body: blob,
  certificate: "cert",
  proof: "proof",
  untilMs: performance.now() + 60_000,
};

test("uploads are one try, carry certificate and proof, and follow no redirect", async () => {
  answers = [
    reply(202, "{}"),
    coded(409, "round/stale-round"),
    reply(307, "", { Location: "http://127.0.0.1:1/" }),
  ];
  await http.upload(upload);
  expect(requests[0]!.headers).toMatchObject({ authorization: "Tributary cert", "tributary-proof": "proof" });
  expect(http.bytesUp).toBe(5000);
  await expect(http.upload(upload)).rejects.toMatchObject({ code: "round/stale-round" });
  await expect(http.upload(upload)).rejects.toMatchObject({ code: "transport/connect-failed" });
  expect(requests.length).toBe(3);
});

test("an upload path that would lead to another host is not followed", async () => {
  answers = [reply(202, "{}")];
  const { port } = server.address() as AddressInfo;
  for (const path of [`@127.0.0.1:${port}/v1/rounds/r/updates/d`, ".elsewhere.example/", ""]) {
    await expect(http.upload({ ...upload, path })).rejects.toMatchObject({
      code: "protocol/invalid-message",
    });
  }
  expect(requests.length).toBe(0);
});

test("a redirect does not carry an enrolment token elsewhere", async () => {
  const location = `http://localhost:${(server.address() as AddressInfo).port}/elsewhere`;
  answers = [reply(307, "", { Location: location })];
  const asked = http.enrol("default", { token: "t", publicKey: "", proof: "" }, AbortSignal.timeout(100));
  await expect(asked).rejects.toThrow();
  expect(requests.map(({ url }) => url)).not.toContain("/elsewhere");
});

test("an enrolment answer that is not one is refused", async () => {
  answers = [reply(201, '{"certificate":5}')];
  await expect(http.enrol("default", { token: "t", publicKey: "", proof: "" })).rejects.toMatchObject({
    code: expect.stringMatching(/^protocol\//),
  });
});

test("answers whose body nobody needs leave their connections to later requests", async () => {
  const sockets = new Set<unknown>();
  const slow =
    (status: number): Answer =>
    (request, response) => {
      sockets.add(request.socket);
      response.writeHead(status).flushHeaders();
      setTimeout(() => response.end("{}"), 2);
    };
  for (let i = 0; i < 5; i++) {
    answers = [slow(404), slow(202)];
    expect(await http.metadata("2.root.json", limit)).toBeUndefined();
    await http.upload(upload);
  }
  // An answer's end may cross with the next request, which then takes a second one; cancelled, each would cost its own.
  expect(sockets.size).toBeLessThan(5);
});
