import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDigitsCnn } from "@tributary/onnx";
import { rawRequest } from "../raw-request.ts";
import {
  asOperator,
  errorCode,
  runningCoordinator,
  type RunningCoordinator,
} from "../running-coordinator.ts";

// What holds for all operations: entity tags, preconditions, idempotency keys, and fields that nobody knows.

const OCTETS = { "content-type": "application/octet-stream" };
const JSON_BODY = { "content-type": "application/json" };
const NOTES = "/v1/models/digits/card-notes";

let coordinator: RunningCoordinator;
beforeAll(async () => {
  coordinator = await runningCoordinator();
  const published = await send("POST", "/v1/models/digits/versions", {}, buildDigitsCnn({ seed: 1 }));
  expect(published.status).toBe(201);
});
afterAll(() => coordinator.end());

const send = (
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: object | Uint8Array<ArrayBuffer>,
): Promise<Response> =>
  coordinator.request(path, {
    method,
    operator: true,
    headers: { ...(body instanceof Uint8Array ? OCTETS : body && JSON_BODY), ...headers },
    ...(body !== undefined && { body: body instanceof Uint8Array ? body : JSON.stringify(body) }),
  });
const etagOf = async (path: string): Promise<string> =>
  (await coordinator.request(path)).headers.get("etag") ?? "none";

test("a field that nobody knows is refused by its path, not left out unsaid", async () => {
  const unknown = await send("PUT", NOTES, {}, { intendedUse: "digits", audiance: "x" });
  expect(unknown.status).toBe(400);
  expect(await unknown.json()).toMatchObject({
    code: "http/unknown-field",
    data: { in: "body", path: "/audiance" },
  });
  const task = await send("POST", "/v1/tasks", {}, { name: "t", model: "digits", ruonds: 1 });
  expect(task.status).toBe(400);
  expect(JSON.stringify(await task.json())).toContain("ruonds");
});

test("so is a parameter of an address: a filter that is misspelt is no list of all", async () => {
  for (const path of ["/v1/audit?actoin=task.start", "/v1/models?actoin=1"]) {
    const answer = await send("GET", path);
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: "http/unknown-field",
      data: { in: "querystring", path: "/actoin" },
    });
  }
  // Proxies and pages may put something behind what everybody reads.
  expect((await send("GET", "/healthz?from=proxy")).status).toBe(200);
});

test("what stands in a body is what it is: a number is no text there", async () => {
  const number = await send("PUT", NOTES, {}, { intendedUse: 7 });
  expect([number.status, await errorCode(number)]).toEqual([400, "http/bad-request"]);
  expect((await coordinator.request("/v1/tasks/none/rounds?limit=5")).status).toBe(404);
});

test("a body that is no JSON is said to be none", async () => {
  for (const [body, problem] of [
    ["", "is empty, expected JSON"],
    ['{"version": 1', "is no JSON"],
  ] as const) {
    const answer = await coordinator.request("/v1/models/digits/release", {
      method: "POST",
      headers: { ...asOperator(coordinator.operatorToken), "content-type": "application/json" },
      body,
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ code: "http/bad-request", data: { in: "body", problem } });
  }
});

describe("entity tags", () => {
  test("a copy that is current is not sent again", async () => {
    const etag = await etagOf("/v1/models/digits");
    // Not by fetch, which adds "cache-control: no-cache" to conditional requests.
    const again = await rawRequest(`${coordinator.url}/v1/models/digits`, {
      headers: { ...asOperator(coordinator.operatorToken), "if-none-match": etag },
    });
    expect([again.status, again.body, again.headers.etag]).toEqual([304, "", etag]);
    expect(again.headers["cache-control"]).toBe("private, no-cache");
    await send("PUT", "/v1/models/digits/aliases/shown", {}, { version: 1 });
    expect(await etagOf("/v1/models/digits")).not.toBe(etag);
  });

  test("a change is made only to what was read; of two at a time, by one", async () => {
    const before = await etagOf(NOTES);
    const write = (intendedUse: string, etag: string) =>
      send("PUT", NOTES, { "if-match": etag }, { intendedUse });
    const both = await Promise.all([write("one", before), write("two", before)]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
    const refused = both.find(({ status }) => status === 412)!;
    const current = await etagOf(NOTES);
    expect(await refused.json()).toMatchObject({
      code: "http/precondition-failed",
      data: { resource: NOTES, etag: current },
    });
    expect((await write("three", current)).status).toBe(200);
    expect((await write("four", "*")).status).toBe(200);
  });

  test("what has no tag of its own is guarded by what it is in, or by nothing", async () => {
    const model = await etagOf("/v1/models/digits");
    const release = (etag: string) =>
      send("POST", "/v1/models/digits/release", { "if-match": etag }, { version: 1, channel: "beta" });
    expect((await release('"another"')).status).toBe(412);
    expect((await release(model)).status).toBe(200);
    const blob = await send("POST", "/v1/blobs", { "if-match": model }, Uint8Array.of(1));
    expect([blob.status, await errorCode(blob)]).toEqual([400, "http/bad-request"]);
  });
});

describe("idempotency keys", () => {
  const create = (key: string, name: string, path = "/v1/tasks") =>
    send("POST", path, { "idempotency-key": key }, { name, model: "digits", rounds: 1 });

  test("the same request is done once and answered twice", async () => {
    const first = await create("key-1", "once");
    const second = await create("key-1", "once");
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.headers.get("idempotency-replayed")).toBe("true");
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    expect(await second.text()).toBe(await first.text());
    // Without it, it is another one.
    expect((await send("POST", "/v1/tasks", {}, { name: "once", model: "digits" })).status).toBe(409);
  });

  test("a key belongs to one request of one caller", async () => {
    await create("key-2", "two");
    expect(await errorCode(await create("key-2", "other"))).toBe("http/idempotency-mismatch");
    const elsewhere = await send(
      "POST",
      "/v1/models/digits/release",
      { "idempotency-key": "key-2" },
      { version: 1 },
    );
    expect(await errorCode(elsewhere)).toBe("http/idempotency-mismatch");
    expect((await create("", "x")).status).toBe(400);
    expect((await create("x".repeat(129), "x")).status).toBe(400);
  });

  test("bytes are compared too; what was refused stays refused", async () => {
    const upload = (bytes: Uint8Array<ArrayBuffer>) =>
      send("POST", "/v1/blobs", { "idempotency-key": "key-3" }, bytes);
    const first = await upload(new Uint8Array(100_000).fill(7));
    const second = await upload(new Uint8Array(100_000).fill(7));
    expect([second.status, await second.json()]).toEqual([201, await first.json()]);
    expect(await errorCode(await upload(new Uint8Array(100_000).fill(8)))).toBe("http/idempotency-mismatch");
    const none = await create("key-4", "none", "/v1/tasks/none/state");
    expect(none.status).toBe(400);
  });

  test("of two at a time one is done, and the other told so", async () => {
    const move = () =>
      send(
        "POST",
        "/v1/models/digits/release",
        { "idempotency-key": "key-5" },
        { version: 1, channel: "five" },
      );
    const both = await Promise.all([move(), move()]);
    const codes = await Promise.all(both.map((each) => each.json() as Promise<{ code?: string }>));
    expect(both.some(({ status }) => status === 200)).toBe(true);
    for (const { code } of codes) expect([undefined, "http/idempotency-busy"]).toContain(code);
  });
});
