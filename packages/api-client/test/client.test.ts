import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { createApiClient, cursorBefore } from "../src/index.ts";

// What a client meets besides a coordinator. The routes themselves are tested against a real one, in the coordinator.

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("nobody answers", async () => {
  const baseUrl = await serve(() => undefined);
  server!.close();
  await expect(createApiClient({ baseUrl }).tasks()).rejects.toMatchObject({
    code: "transport/connect-failed",
    retryable: true,
    detail: { request: "GET /v1/tasks" },
  });
});

test("something else answers: a page with 200, a page with 502, an empty answer, JSON of another kind", async () => {
  const answers: RequestListener[] = [
    (_request, response) => response.end("<!doctype html><title>Welcome</title>"),
    (_request, response) => response.writeHead(502).end("<h1>Bad gateway</h1>"),
    (_request, response) => response.end(),
    (_request, response) =>
      response.writeHead(404, { "content-type": "application/json" }).end('{"error":"?"}'),
  ];
  let at = 0;
  const baseUrl = await serve((request, response) => answers[at++]!(request, response));
  for (const _ of answers) {
    await expect(createApiClient({ baseUrl }).status()).rejects.toMatchObject({
      code: "http/unexpected-response",
    });
  }
});

test("an error of the API is thrown as the coordinator meant it, one of a newer coordinator too", async () => {
  const errors = [
    { code: "http/not-found", title: "There is nothing here.", data: { task: "x" }, retryable: false },
    { code: "federation/of-tomorrow", title: "Soon.", data: {}, retryable: true },
  ];
  let at = 0;
  const baseUrl = await serve((_request, response) => {
    response.writeHead(404, { "content-type": "application/problem+json" }).end(JSON.stringify(errors[at++]));
  });
  const api = createApiClient({ baseUrl });
  await expect(api.task("x")).rejects.toMatchObject({ code: "http/not-found", detail: { task: "x" } });
  await expect(api.task("x")).rejects.toMatchObject({
    code: "core/unknown-remote-code",
    retryable: true,
    detail: { remoteCode: "federation/of-tomorrow" },
  });
});

test("the caller's abort comes back as the caller's reason", async () => {
  const controller = new AbortController();
  const reason = new Error("the page is left");
  const baseUrl = await serve(() => controller.abort(reason));
  await expect(createApiClient({ baseUrl }).models({ signal: controller.signal })).rejects.toBe(reason);
});

test("what is sent: the token, the query, names escaped, bytes as they are", async () => {
  const seen: string[] = [];
  const baseUrl = await serve((request, response) => {
    let body = "";
    request.setEncoding("latin1").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const { authorization = "-", "content-type": type = "-" } = request.headers;
      seen.push([request.method, request.url, authorization, type, body].join(" "));
      response.writeHead(200, { "content-type": "application/json" }).end('{"rounds":[]}');
    });
  });
  const api = createApiClient({ baseUrl, token: "secret" });
  await api.rounds("a/b", { limit: 5, cursor: cursorBefore(9) });
  await api.uploadBlob(Uint8Array.of(0, 255, 65));
  expect(seen).toEqual([
    "GET /v1/tasks/a%2Fb/rounds?limit=5&cursor=9 Bearer secret - ",
    "POST /v1/blobs Bearer secret application/octet-stream \u0000\u00ffA",
  ]);
});
