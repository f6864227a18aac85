import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { nodeFetch } from "../../src/node/node-fetch.ts";
import { ReceivedBody } from "../../src/node/received-body.ts";
import type { FetchInit, HttpResponse } from "../../src/transport/requests.ts";

// What runtimes on Node ask over, against a real server.

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
const routes: Record<string, Handler> = {};
const server = createServer((request, response) =>
  routes[new URL(request.url!, "http://x").pathname]!(request, response),
);
let base: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const get = (path: string, init: Partial<FetchInit> = {}): Promise<HttpResponse> =>
  nodeFetch(base + path, { signal: new AbortController().signal, ...init });

async function bytesOf({ body }: HttpResponse): Promise<Uint8Array> {
  const reader = body!.getReader();
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(Buffer.concat(chunks));
    chunks.push(value);
  }
}

test("an answer has its status, headers in any case, and its bytes; an early hint is none", async () => {
  routes["/plain"] = (request, response) => {
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.writeHead(404, { "X-Word": "one", "Set-Cookie": ["a=1", "b=2"] });
    response.end(`${request.method} ${request.url} ${request.headers["x-asked"] as string}`);
  };
  const answer = await get("/plain?a=b%20c", { headers: { "X-Asked": "yes" } });
  expect([answer.status, answer.ok, answer.url]).toEqual([404, false, `${base}/plain?a=b%20c`]);
  expect(["x-word", "X-WORD", "set-cookie", "x-none"].map((name) => answer.headers.get(name))).toEqual([
    "one",
    "one",
    "a=1, b=2",
    null,
  ]);
  expect(Buffer.from(await bytesOf(answer)).toString()).toBe("GET /plain?a=b%20c yes");
});

test("what is sent arrives, and nothing may be the answer", async () => {
  let got = "";
  routes["/put"] = (request, response) => {
    request.setEncoding("utf8").on("data", (text: string) => (got += text));
    request.on("end", () => response.writeHead(204).end());
  };
  const answer = await get("/put", { method: "PUT", body: new TextEncoder().encode("some bytes") });
  expect([answer.status, answer.ok, got, (await bytesOf(answer)).length]).toEqual([
    204,
    true,
    "some bytes",
    0,
  ]);
});

test("a large body arrives whole", async () => {
  const length = 2 * 1024 * 1024;
  routes["/large"] = (_, response) => {
    response.writeHead(200, { "content-length": length });
    response.end(Buffer.alloc(length, 7));
  };
  const answer = await get("/large");
  const bytes = await bytesOf(answer);
  expect(Buffer.compare(bytes, Buffer.alloc(length, 7))).toBe(0);
});

test("an abort ends a request that waits for its answer, and one whose body comes", async () => {
  const closed: string[] = [];
  const asked = Promise.withResolvers<void>();
  routes["/silent"] = (_, response) => {
    response.on("close", () => closed.push("silent"));
    asked.resolve();
  };
  routes["/half"] = (_, response) => {
    response.on("close", () => closed.push("half"));
    response.writeHead(200).write("half");
  };
  const first = new AbortController();
  const waiting = get("/silent", { signal: first.signal });
  waiting.catch(() => undefined);
  await asked.promise;
  first.abort(new Error("not wanted"));
  await expect(waiting).rejects.toThrow("not wanted");

  const second = new AbortController();
  const reader = (await get("/half", { signal: second.signal })).body!.getReader();
  expect((await reader.read()).value?.length).toBe(4);
  const rest = reader.read();
  rest.catch(() => undefined);
  second.abort(new Error("enough"));
  await expect(rest).rejects.toThrow("enough");

  const given = (await get("/half")).body!.getReader();
  await given.read();
  await given.cancel();
  await expect.poll(() => closed.toSorted()).toEqual(["half", "half", "silent"]);
  await expect(get("/half", { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
});

test("a connection that breaks off fails the body, one that is refused the request", async () => {
  routes["/broken"] = (_, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("some", () => response.destroy());
  };
  const answer = await get("/broken");
  await expect(bytesOf(answer)).rejects.toThrow();
  await expect(nodeFetch("http://127.0.0.1:1/", { signal: new AbortController().signal })).rejects.toThrow();
});

test("redirects are followed, bodies of them read, where that may be", async () => {
  routes["/from"] = (_, response) => void response.writeHead(302, { location: "/to" }).end("moved");
  routes["/to"] = (_, response) => void response.end("there");
  routes["/round"] = (_, response) => void response.writeHead(302, { location: "/round" }).end();
  const answer = await get("/from", { redirect: "follow" });
  expect([answer.url, Buffer.from(await bytesOf(answer)).toString()]).toEqual([`${base}/to`, "there"]);
  for (const asked of [
    get("/from", { redirect: "error" }),
    get("/from", { method: "PUT", body: "x" }),
    get("/round"),
  ])
    await expect(asked).rejects.toMatchObject({ code: "transport/connect-failed" });
});

test("a redirect whose body does not end is followed all the same, and its connection ended", async () => {
  const ended = Promise.withResolvers<void>();
  routes["/endless"] = (_, response) => {
    response.writeHead(302, { location: "/there" });
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(16 * 1024)));
    };
    response.on("drain", more).on("close", ended.resolve);
    more();
  };
  routes["/there"] = (_, response) => void response.end("there");
  const answer = await get("/endless", { redirect: "follow" });
  expect(Buffer.from(await bytesOf(answer)).toString()).toBe("there");
  await ended.promise;
});

test("a sender waits while much waits to be read", async () => {
  const told: string[] = [];
  const body = new ReceivedBody({
    abort: () => told.push("abort"),
    pause: () => told.push("pause"),
    resume: () => told.push("resume"),
  });
  for (let i = 0; i < 3; i++) body.add(new Uint8Array(40_000));
  expect(told).toEqual(["pause"]);
  const reader = body.getReader();
  const lengths = [];
  for (let i = 0; i < 3; i++) lengths.push((await reader.read()).value?.length);
  expect([lengths, told]).toEqual([
    [40_000, 40_000, 40_000],
    ["pause", "resume"],
  ]);
  body.end();
  expect((await reader.read()).done).toBe(true);
  await reader.cancel();
  expect(told).not.toContain("abort");
});
