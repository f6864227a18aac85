import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

// What a client that means harm sends, on sockets of its own: refused by a code, and logged.

let coordinator: RunningCoordinator;
let logged: string;
beforeAll(async () => {
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    logged += String(chunk);
    return true;
  });
  logged = "";
  const site: { folder?: string } = {};
  coordinator = await runningCoordinator({
    logLevel: "info",
    dashboardDir: () => site.folder,
    trustedProxies: ["127.0.0.1"],
    limits: { headersTimeoutMs: 400, jsonTimeoutMs: 400 },
    rates: { requestsPerAddress: 40, refusalsPerAddress: 5, requestsPerOperator: 10 },
  });
  site.folder = join(coordinator.dataDir, "site");
  await mkdir(site.folder);
  await writeFile(join(site.folder, "index.html"), "<!doctype html><title>Dashboard</title>");
});
afterAll(async () => {
  await coordinator.end();
  vi.restoreAllMocks();
});
beforeEach(() => {
  logged = "";
});

const HOST = "Host: 127.0.0.1";

/** All that is answered to these bytes until the server ends the connection, which it is asked to. */
async function sent(...parts: readonly string[]): Promise<string> {
  const socket = open();
  let answer = "";
  socket.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
  await once(socket, "connect");
  for (const part of parts) socket.write(part);
  if (socket.readyState !== "closed") await once(socket, "close");
  return answer;
}

function open(): Socket {
  const socket = connect(coordinator.port, "127.0.0.1");
  socket.on("error", () => {});
  return socket;
}

const request = (line: string, ...headers: readonly string[]): string =>
  [`${line} HTTP/1.1`, HOST, "Connection: close", ...headers, "", ""].join("\r\n");

const statusesIn = (answer: string): number[] =>
  [...answer.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map(([, status]) => Number(status));
const codeIn = (answer: string): string | undefined => /"code":"([^"]+)"/.exec(answer)?.[1];

describe("path traversal", () => {
  test.each([
    "/../operator-token",
    "/..%2foperator-token",
    "/%2e%2e/operator-token",
    "/%2e%2e%2foperator-token",
    "/..%5coperator-token",
    "/..\\operator-token",
    "/....//operator-token",
    "/assets/../../operator-token",
    "/assets/%252e%252e/operator-token",
    "//operator-token",
    "/%00/operator-token",
    "/keys/root.key.json",
    "/v1/tuf/..%2f..%2fkeys%2froot.key.json",
    "/v1/tuf/../operator-token",
    "/v1/blobs/..%2foperator-token",
    "/v1/models/..%2f..%2f/versions",
    "/problems/..%2foperator-token",
  ])("%s leads nowhere", async (path) => {
    const answer = await sent(request(`GET ${path}`, "Accept: application/json"));
    expect(statusesIn(answer)[0]).toBeGreaterThanOrEqual(400);
    expect(statusesIn(answer)[0]).toBeLessThan(500);
    expect(answer).not.toContain(coordinator.operatorToken);
    expect(logged).toContain(codeIn(answer)!);
  });
});

describe("bodies", () => {
  const json = (...headers: readonly string[]): string =>
    request("POST /v1/populations/default/enrolments", "Content-Type: application/json", ...headers);

  test("that say they are too large are refused before they are read", async () => {
    const answer = await sent(json("Content-Length: 99999999"));
    expect([statusesIn(answer), codeIn(answer)]).toEqual([[413], "http/payload-too-large"]);
    expect(logged).toContain("http/payload-too-large");
  });

  test("that grow too large without saying so are refused", async () => {
    const chunk = `2000\r\n${" ".repeat(0x2000)}\r\n`;
    const answer = await sent(json("Transfer-Encoding: chunked"), chunk, chunk, "0\r\n\r\n");
    expect([statusesIn(answer), codeIn(answer)]).toEqual([[413], "http/payload-too-large"]);
  });

  test("that do not come to an end are cut off", async () => {
    const answer = await sent(json("Content-Length: 100"), '{"token":');
    expect([statusesIn(answer), codeIn(answer)]).toEqual([[408], "http/timeout"]);
    expect(logged).toContain("http/timeout");
  });
});

describe("headers", () => {
  test("that do not come to an end are cut off, though some come again and again", async () => {
    const socket = open();
    let answer = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
    await once(socket, "connect");
    socket.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n`);
    const drip = setInterval(() => socket.write("X-A: b\r\n"), 50);
    await once(socket, "close");
    clearInterval(drip);
    expect([statusesIn(answer), codeIn(answer)]).toEqual([[408], "http/timeout"]);
    expect(logged).toContain("http/timeout");
  });

  test("that never begin are no request, and get no answer", async () => {
    const socket = open();
    let answer = "";
    socket.setEncoding("utf8").on("data", (chunk: string) => (answer += chunk));
    await once(socket, "close");
    expect(answer).toBe("");
  });

  test("that are too large are refused", async () => {
    const answer = await sent(request("GET /healthz", `X-A: ${"x".repeat(20_000)}`));
    expect([statusesIn(answer), codeIn(answer)]).toEqual([[431], "http/headers-too-large"]);
    expect(logged).toContain("http/headers-too-large");
  });

  test.each([
    ["a name with a space", "X A: b"],
    ["a control character", "X-A: a\u0000b"],
    ["a line that goes on", "X-A: a\r\n b"],
    ["a bare line feed between", "X-A: a\nX-B: b"],
  ])("with %s are refused, or mean nothing", async (_, header) => {
    const answer = await sent(request("GET /healthz", header));
    if (statusesIn(answer)[0] !== 200) {
      expect(statusesIn(answer)).toEqual([400]);
      expect(logged).toContain("http/bad-request");
    } else {
      expect(answer.toLowerCase()).not.toContain("x-b");
    }
  });

  test.each([
    "/v1/models/a%0d%0aSet-Cookie:%20x=y",
    "/demo%0d%0aX-Injected:%201",
    "/problems/x%0d%0aX-Injected:%201",
    "/?next=%0d%0aX-Injected:%201",
  ])("of an answer are not made of what was asked: %s", async (path) => {
    const answer = await sent(request(`GET ${path}`, "Accept: text/html", "Origin: https://x\ty"));
    const [head] = answer.split("\r\n\r\n");
    expect(head!.toLowerCase()).not.toMatch(/^(?:set-cookie|x-injected)/m);
  });
});

describe("the host", () => {
  test.each([
    ["another name", "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421],
    [
      "two of them",
      "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
      400,
    ],
    ["none", "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400],
    [
      "that of the request line",
      `GET http://evil.example/ HTTP/1.1\r\n${HOST}\r\nConnection: close\r\n\r\n`,
      404,
    ],
    [
      "one with a name before it",
      "GET / HTTP/1.1\r\nHost: 127.0.0.1@evil.example\r\nConnection: close\r\n\r\n",
      421,
    ],
  ])("%s is not believed", async (_, text, status) => {
    const answer = await sent(text);
    expect(statusesIn(answer)).toEqual([status]);
    expect(answer).not.toContain("Dashboard");
  });

  test("what a client says the host was, is not asked", async () => {
    const answer = await sent(
      "GET / HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: 127.0.0.1\r\nConnection: close\r\n\r\n",
    );
    expect(statusesIn(answer)).toEqual([421]);
    expect(logged).toContain("http/host-refused");
  });
});

describe("a request within another", () => {
  const INNER = `GET /v1/status HTTP/1.1\r\n${HOST}\r\nConnection: close\r\n\r\n`;
  const outer = (...headers: readonly string[]): string =>
    ["POST /healthz HTTP/1.1", HOST, ...headers, "", ""].join("\r\n");
  test.each([
    ["two lengths", outer("Content-Length: 0", `Content-Length: ${INNER.length}`)],
    ["a length and chunks", outer("Content-Length: 4", "Transfer-Encoding: chunked")],
    ["chunks that are none", outer("Transfer-Encoding: xchunked")],
    ["chunks twice", outer("Transfer-Encoding: chunked", "Transfer-Encoding: identity")],
    ["a length with a sign", outer("Content-Length: +0")],
    ["a length with more", outer("Content-Length: 0, 5")],
    ["a space before the colon", outer("Content-Length : 5")],
    ["a chunk of no size", `${outer("Transfer-Encoding: chunked")}zz\r\n`],
  ])("%s are refused, and the connection ends", async (_, text) => {
    const answer = await sent(text, INNER);
    expect(statusesIn(answer)).toEqual([400]);
    expect(answer).not.toContain("uptimeSeconds");
    expect(logged).toContain("http/bad-request");
  });
});

describe("who asks too much", () => {
  const from = (address: string, ...headers: readonly string[]): string =>
    request("GET /v1/audit", `X-Forwarded-For: ${address}`, ...headers);

  test("with credentials that are none is not heard any more, and others are", async () => {
    const guess = () => sent(from("203.0.113.1", "Authorization: Bearer guess"));
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 7; i++) codes.push(codeIn(await guess()));
    expect(codes.slice(0, 5)).toEqual(Array(5).fill("identity/not-authorized"));
    expect(codes.slice(5)).toEqual(Array(2).fill("http/too-many-requests"));
    // The right one, from there, has to wait as well; from elsewhere it is answered.
    const right = `Authorization: Bearer ${coordinator.operatorToken}`;
    expect(codeIn(await sent(from("203.0.113.1", right)))).toBe("http/too-many-requests");
    expect(statusesIn(await sent(from("203.0.113.2", right)))).toEqual([200]);
    expect(logged).not.toContain(coordinator.operatorToken);
    expect(logged).not.toContain("Bearer");
  });

  test("is one operator, by whichever token and from wherever it comes, and others are not", async () => {
    const post = (path: string, body: object, headers: Readonly<Record<string, string>>) =>
      coordinator.request(path, {
        method: "POST",
        operator: false,
        headers: { "content-type": "application/json", "x-forwarded-for": "203.0.113.3", ...headers },
        body: JSON.stringify(body),
      });
    const bootstrap = { authorization: `Bearer ${coordinator.operatorToken}` };
    const password = "correct horse battery";
    const grants = [{ model: "*", role: "auditor" }];
    const makeToken = async (label: string, headers: Readonly<Record<string, string>>) =>
      ((await (await post("/v1/api-tokens", { label, grants }, headers)).json()) as { token: string }).token;
    await post("/v1/operators", { name: "ada", password, grants }, bootstrap);
    const signedIn = await post("/v1/session", { name: "ada", password }, {});
    const cookie = signedIn.headers.get("set-cookie")!.split(";", 1)[0]!;
    const { csrfToken } = (await signedIn.json()) as { csrfToken: string };
    const session = { cookie, "tributary-csrf": csrfToken };
    // Two requests of ada's, by which there are two more ways to ask.
    const tokens = [await makeToken("first", session), await makeToken("second", session)];
    const statuses: number[] = [];
    for (let i = 0; i < 9; i++)
      statuses.push(
        ...statusesIn(await sent(from(`198.51.100.${i}`, `Authorization: Bearer ${tokens[i % 2]}`))),
      );
    expect(statuses).toEqual([...Array<number>(8).fill(200), 429]);
    const other = await makeToken("other", bootstrap);
    expect(statusesIn(await sent(from("198.51.100.9", `Authorization: Bearer ${other}`)))).toEqual([200]);
  });

  test("is told when to come again, by the network that an address of IPv6 is of", async () => {
    const ask = (host: number) =>
      sent(request("GET /healthz", `X-Forwarded-For: 2001:db8::${host.toString(16)}`));
    const statuses: number[] = [];
    let last = "";
    for (let i = 0; i < 42; i++) {
      last = await ask(i);
      statuses.push(...statusesIn(last));
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(40);
    expect(last.toLowerCase()).toMatch(/^retry-after: \d+/m);
    expect(logged).toContain("http/too-many-requests");
  });
});
