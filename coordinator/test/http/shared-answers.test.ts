import { silentLogger } from "@tributary/core";
import { fastify } from "fastify";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createInProcessBus } from "../../src/adapters/bus/in-process-bus.ts";
import type { App } from "../../src/http/app.ts";
import { registerEntityTags } from "../../src/http/entity-tags.ts";
import { createSharedAnswers } from "../../src/http/shared-answers.ts";

let app: App;
let made: number;
let status: () => Promise<unknown>;
const bus = createInProcessBus(silentLogger);

beforeEach(() => {
  made = 0;
  status = async () => ({ made: (made += 1) });
  app = fastify() as unknown as App;
  const shared = createSharedAnswers();
  shared.register(app);
  shared.follow(bus);
  registerEntityTags(app);
  app.get("/v1/status", async (_, reply) =>
    reply.header("content-type", "application/json; charset=utf-8").send(await status()),
  );
  app.get("/v1/audit", async () => await status());
  app.post("/v1/tasks", async () => ({}));
});
afterEach(() => app.close());

const ask = (url = "/v1/status", headers: Record<string, string> = {}) => app.inject({ url, headers });
const many = async (count: number, headers?: Record<string, string>) =>
  await Promise.all(Array.from({ length: count }, () => ask("/v1/status", headers)));

test("what is asked for at the same time is made once, and is the same for all", async () => {
  const answers = await many(50);
  expect(made).toBe(1);
  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['{"made":1}']));
  for (const name of ["etag", "content-type", "cache-control"])
    expect(new Set(answers.map(({ headers }) => headers[name])).size).toBe(1);
  expect(answers[0]!.headers["content-type"]).toBe("application/json; charset=utf-8");
});

test("whoever has it is told so", async () => {
  const etag = String((await ask()).headers.etag);
  const answers = await many(5, { "if-none-match": etag });
  expect(answers.map(({ statusCode, body }) => [statusCode, body])).toEqual(
    Array.from({ length: 5 }, () => [304, ""]),
  );
  // The first of the five made it anew where the one before was given up, and never more.
  expect(made).toBeLessThanOrEqual(2);
});

test("an event, and any change, is seen by whoever asks afterwards", async () => {
  await ask();
  await bus.publish("event", { id: 1, type: "round", data: {} } as never);
  expect((await ask()).body).toBe('{"made":2}');
  await app.inject({ method: "POST", url: "/v1/tasks" });
  expect((await ask()).body).toBe('{"made":3}');
});

test("operators share nothing with each other, and other routes are not shared at all", async () => {
  await many(3, { authorization: "Bearer a" });
  await many(3, { authorization: "Bearer b" });
  await many(3, { cookie: "session=c" });
  expect(made).toBe(3);
  await Promise.all([ask("/v1/audit"), ask("/v1/audit")]);
  expect(made).toBe(5);
});

test("what failed is no answer for others", async () => {
  let failures = 1;
  status = async () => {
    if (failures-- > 0) throw new Error("once");
    return { made: (made += 1) };
  };
  const answers = await many(4);
  expect(answers.map(({ statusCode }) => statusCode).toSorted((a, b) => a - b)).toEqual([200, 200, 200, 500]);
});
