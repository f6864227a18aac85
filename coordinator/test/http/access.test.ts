import { connect } from "node:net";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemRandom } from "@tributary/core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { operatorTokenOf } from "../../src/http/operator-token.ts";
import { codeIn, rawRequest } from "../raw-request.ts";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const APP = "https://app.example";
const OTHER_APP = "https://other.example";
const EVIL = "https://evil.example";

let coordinator: RunningCoordinator;
beforeAll(async () => {
  coordinator = await runningCoordinator({
    allowOrigins: { default: [APP], clinics: [OTHER_APP] },
    allowHosts: ["fl.example:8443", "other.example"],
  });
});
afterAll(() => coordinator.end());

describe("Host", () => {
  test.each([
    ["127.0.0.1", 200],
    ["localhost:9", 200],
    ["LOCALHOST", 200],
    ["[::1]:1234", 200],
    ["fl.example:8443", 200],
    ["other.example", 200],
    ["other.example:1", 200],
    ["fl.example", 421],
    ["rebound.evil.example", 421],
    ["127.0.0.1.evil.example", 421],
    ["evil.example:7700", 421],
  ])("%s is answered with %i", async (host, status) => {
    const answer = await rawRequest(`${coordinator.url}/healthz`, { headers: { host } });
    expect(answer.status).toBe(status);
    if (status !== 200) expect(codeIn(answer)).toBe("http/host-refused");
  });

  test("it is checked on pages and unknown paths too", async () => {
    for (const path of ["/", "/demo/", "/v1/none", "/v1/events"]) {
      const answer = await rawRequest(coordinator.url + path, { headers: { host: "evil.example" } });
      expect([path, answer.status]).toEqual([path, 421]);
    }
  });
});

describe("cross-origin", () => {
  const preflight = (path: string, origin: string, method = "GET", headers = "range") =>
    rawRequest(coordinator.url + path, {
      method: "OPTIONS",
      headers: {
        origin,
        "access-control-request-method": method,
        "access-control-request-headers": headers,
      },
    });
  const BLOB = `/v1/blobs/${"0".repeat(64)}`;

  test("an allowed origin gets its preflight, cached", async () => {
    const answer = await preflight(BLOB, APP);
    expect(answer.status).toBe(204);
    expect(answer.headers["access-control-allow-origin"]).toBe(APP);
    expect(Number(answer.headers["access-control-max-age"])).toBeGreaterThanOrEqual(600);
    expect(answer.headers["access-control-allow-headers"]).toContain("tributary-proof");
    expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
    expect(answer.headers["vary"]).toContain("Origin");
  });

  test("an answer exposes what a device reads", async () => {
    const answer = await rawRequest(`${coordinator.url}/v1/tuf/timestamp.json`, { headers: { origin: APP } });
    expect(answer.headers["access-control-allow-origin"]).toBe(APP);
    const exposed = String(answer.headers["access-control-expose-headers"]).toLowerCase();
    for (const name of ["etag", "content-range", "retry-after"]) expect(exposed).toContain(name);
    expect(answer.headers["cross-origin-resource-policy"]).toBe("cross-origin");
  });

  test("errors are readable across origins as well", async () => {
    const answer = await rawRequest(coordinator.url + BLOB, { headers: { origin: APP } });
    expect(answer.status).toBe(404);
    expect(answer.headers["access-control-allow-origin"]).toBe(APP);
  });

  test.each([
    ["another origin", BLOB, EVIL],
    ["a sandboxed page", BLOB, "null"],
    ["an origin of another population", "/v1/populations/default/enrolments", OTHER_APP],
    ["an operator's route", "/v1/tasks", APP],
    ["the event stream", "/v1/events", APP],
  ])("%s gets no permission", async (_, path, origin) => {
    const answer = await preflight(path, origin, "POST", "content-type");
    expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
    const read = await rawRequest(`${coordinator.url}/v1/status`, { headers: { origin } });
    expect(read.headers["access-control-allow-origin"]).toBeUndefined();
  });

  test("a population's own origin may enrol, another's may not", async () => {
    const enrol = (population: string, origin: string) =>
      rawRequest(`${coordinator.url}/v1/populations/${population}/enrolments`, {
        method: "POST",
        headers: { origin, "content-type": "application/json", "sec-fetch-site": "cross-site" },
        body: JSON.stringify({ token: "x", publicKey: "AA", proof: "AA" }),
      });
    expect((await enrol("default", APP)).headers["access-control-allow-origin"]).toBe(APP);
    expect(codeIn(await enrol("default", APP))).not.toBe("http/origin-refused");
    expect(codeIn(await enrol("default", OTHER_APP))).toBe("http/origin-refused");
    expect(codeIn(await enrol("clinics", OTHER_APP))).not.toBe("http/origin-refused");
    expect(codeIn(await enrol("default", EVIL))).toBe("http/origin-refused");
  });
});

describe("operator writes", () => {
  const create = (headers: Record<string, string>) =>
    rawRequest(`${coordinator.url}/v1/tasks`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: "{}",
    });

  test.each<[string, Record<string, string>]>([
    ["no token", {}],
    ["a wrong one", { authorization: "Bearer wrong" }],
    ["an empty one", { authorization: "Bearer " }],
    ["another scheme", { authorization: "Basic b3BlcmF0b3I6" }],
  ])("%s is refused", async (_, headers) => {
    const answer = await create(headers);
    expect(codeIn(answer)).toBe("identity/not-authorized");
    expect([401, 403]).toContain(answer.status);
  });

  test("the token does not help a page of another site", async () => {
    const authorization = `Bearer ${coordinator.operatorToken}`;
    for (const headers of [
      { origin: EVIL },
      { origin: APP },
      { origin: "null" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]) {
      const answer = await create({ authorization, ...headers } as Record<string, string>);
      expect([headers, codeIn(answer)]).toEqual([headers, "http/origin-refused"]);
    }
  });

  test("the dashboard's own origin and programs pass", async () => {
    const authorization = `Bearer ${coordinator.operatorToken}`;
    const own = { origin: coordinator.url, "sec-fetch-site": "same-origin" };
    for (const headers of [{}, own]) {
      const answer = await create({ authorization, ...headers } as Record<string, string>);
      expect(codeIn(answer)).toBe("protocol/invalid-document");
    }
  });

  test("the token lies in a file that only its owner reads", async () => {
    const path = join(coordinator.dataDir, "operator-token");
    expect((await readFile(path, "utf8")).trim()).toBe(coordinator.operatorToken);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(coordinator.operatorToken.length).toBeGreaterThanOrEqual(43);
  });

  test("a start that was killed while it wrote the token does not stop the next one", async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder.path, "operator-token.new"), "half");
    const token = await operatorTokenOf(folder.path, systemRandom);
    expect(await readdir(folder.path)).toEqual(["operator-token"]);
    expect(await operatorTokenOf(folder.path, systemRandom)).toBe(token);
    await folder.remove();
  });
});

describe("errors", () => {
  test("an unknown route is a coded 404", async () => {
    const response = await coordinator.request("/v1/nothing");
    expect(response.status).toBe(404);
    expect(await errorCode(response)).toBe("http/not-found");
    const write = await coordinator.request("/v1/nothing", { method: "POST" });
    expect(await errorCode(write)).toBe("http/not-found");
  });

  test.each([
    ["a body that is no JSON", "{", "http/bad-request"],
    ["a body that is too large", JSON.stringify({ name: "x".repeat(70_000) }), "http/payload-too-large"],
    ["a poisoned prototype", '{"__proto__":{"a":1}}', "http/bad-request"],
  ])("%s is refused by its code", async (_, body, code) => {
    const response = await coordinator.request("/v1/tasks", {
      method: "POST",
      operator: true,
      headers: { "content-type": "application/json" },
      body,
    });
    expect(await errorCode(response)).toBe(code);
  });

  test("another content type is refused", async () => {
    const response = await coordinator.request("/v1/tasks", {
      method: "POST",
      operator: true,
      headers: { "content-type": "text/plain" },
      body: "name=x",
    });
    expect(response.status).toBe(415);
    expect(await errorCode(response)).toBe("http/unsupported-media-type");
  });

  test("a parameter that cannot be is refused with its path", async () => {
    const response = await coordinator.request("/v1/models/NOT-A-NAME");
    expect(response.status).toBe(400);
    const error = (await response.json()) as { code: string; data: object };
    expect(error.code).toBe("http/bad-request");
    expect(error.data).toMatchObject({ in: "params", path: "/model" });
  });

  test("what is no HTTP gets a coded answer and the connection ends", async () => {
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(coordinator.port, "127.0.0.1", () =>
        socket.write("\u0000\u0001 garbage\r\n\r\n"),
      );
      let received = "";
      socket.setEncoding("utf8");
      socket.on("data", (chunk: string) => (received += chunk));
      socket.on("close", () => resolve(received));
      socket.on("error", reject);
    });
    expect(text).toContain("400 Bad Request");
    expect(text).toContain("http/bad-request");
    expect(text).not.toContain("at ");
  });

  test("a broken URL is refused", async () => {
    const answer = await rawRequest(`${coordinator.url}/v1/models/%zz`);
    expect(answer.status).toBe(400);
    expect(codeIn(answer)).toBe("http/bad-request");
  });
});

test("the API is described as OpenAPI 3.1, with every route", async () => {
  const document = (await (await coordinator.request("/openapi.json")).json()) as {
    openapi: string;
    paths: Record<string, Record<string, unknown>>;
  };
  expect(document.openapi).toBe("3.1.0");
  expect(Object.keys(document.paths).toSorted()).toEqual(
    expect.arrayContaining([
      "/healthz",
      "/v1/blobs",
      "/v1/blobs/{digest}",
      "/v1/events",
      "/v1/models",
      "/v1/models/{model}",
      "/v1/models/{model}/versions",
      "/v1/populations/{population}/enrolments",
      "/v1/rounds/{roundId}",
      "/v1/status",
      "/v1/tasks",
      "/v1/tasks/{task}",
      "/v1/tasks/{task}/rounds",
      "/v1/tasks/{task}/state",
      "/v1/tuf/{file}",
    ]),
  );
});
