import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { askBackend } from "../src/ask-backend.ts";

const DEVICE = { deviceId: "d", publicKey: "k", population: "default" };
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const server = createServer((request, response) => answer(request, response));
let url: string;

beforeEach(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/certificates`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, "close");
});

test("posts whose key it is under the secret, and takes the text that comes back", async () => {
  const asked: unknown[] = [];
  answer = (request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      const { authorization, "content-type": type } = request.headers;
      asked.push([request.method, request.url, authorization, type, JSON.parse(body)]);
      response.end("a.certificate.signed");
    });
  };
  expect(await askBackend(url, "secret")(DEVICE)).toBe("a.certificate.signed");
  expect(asked).toEqual([["POST", "/certificates", "Bearer secret", "application/json", DEVICE]]);
});

test("a refusal, a redirect, too much and nobody there are one coded error, without the secret", async () => {
  const answers: ((response: ServerResponse) => void)[] = [
    (response) => response.writeHead(403).end("no"),
    (response) => response.writeHead(302, { location: "http://127.0.0.1:1/elsewhere" }).end(),
    (response) => response.end("x".repeat(5_000)),
  ];
  for (const each of answers) {
    answer = (_request, response) => each(response);
    const failed = askBackend(url, "the-secret")(DEVICE);
    await expect(failed).rejects.toMatchObject({ code: "identity/enrolment-failed", retryable: true });
    await expect(failed).rejects.not.toThrow("the-secret");
  }
  await expect(askBackend("http://127.0.0.1:1/", "s")(DEVICE)).rejects.toMatchObject({
    code: "identity/enrolment-failed",
  });
});
