import { asModelName, asRoundId, asTaskName, systemClock, type ModelName } from "@tributary/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AccessGrant, Role } from "@tributary/protocol";
import { eventFilter } from "../../src/access/event-filter.ts";
import { createGuard } from "../../src/access/guard.ts";
import { may, type Principal } from "../../src/access/principal.ts";
import { resolveConfig } from "../../src/config.ts";
import { openLog } from "../../src/observability/logging/coordinator-log.ts";
import { createAccessPolicy } from "../../src/http/access-policy.ts";
import { createApp, type App } from "../../src/http/app.ts";

const A = asModelName("a");
const B = asModelName("b");

const MODELS: Readonly<Record<string, ModelName | null>> = {
  "task-a": A,
  "task-b": B,
  "round-a": A,
  "round-b": B,
  "a-training": A,
  "b-training": B,
  snapshot: null,
};

function principal(...grants: AccessGrant[]): Principal {
  return { kind: "bootstrap", name: "ada", grants };
}
const of = (model: ModelName | "*", role: Role): AccessGrant => ({ model, role });

let who: Principal | null;
let http: { readonly app: App };
const logged: string[] = [];

beforeEach(async () => {
  const config = resolveConfig({ dataDir: "unused", logLevel: "warn" });
  const { pino } = await openLog({
    level: "warn",
    format: "json",
    clock: systemClock,
    secrets: [],
    stream: { write: (line) => void logged.push(line) },
  });
  http = await createApp({
    config,
    access: createAccessPolicy(config),
    guard: createGuard({
      identify: async () => who,
      lookups: {
        task: async (name) => MODELS[name] ?? undefined,
        round: async (id) => MODELS[id] ?? undefined,
        role: async (name) => MODELS[name],
      },
    }),
    version: "0",
    logger: pino,
  });
  const answer = async () => ({ done: true });
  http.app.get("/models/:model", answer);
  http.app.put("/models/:model", answer);
  http.app.get("/tasks/:task", answer);
  http.app.put("/tasks/:task", answer);
  http.app.get("/rounds/:roundId", answer);
  http.app.put("/roles/:role", { config: { needs: "administer" } }, answer);
  http.app.get("/audit", { config: { needs: "audit", of: "query" } }, answer);
  http.app.get("/list", { config: { of: "any" } }, answer);
  http.app.get("/undeclared", answer);
  http.app.post("/tasks", { config: { of: "body" } }, answer);
  http.app.get("/open", { config: { audience: "public" } }, answer);
  await http.app.ready();
});
afterEach(async () => {
  await http.app.close();
  logged.length = 0;
});

async function ask(method: "GET" | "PUT" | "POST", url: string, payload?: object): Promise<string> {
  const answer = await http.app.inject({
    method,
    url,
    headers: { host: "localhost" },
    ...(payload && { payload }),
  });
  return answer.statusCode === 200 ? "done" : answer.json<{ code: string }>().code;
}

describe("who has a role of one model", () => {
  beforeEach(() => {
    who = principal(of(A, "operator"));
  });

  test.each([
    ["GET", "/models/a", "done"],
    ["PUT", "/models/a", "done"],
    ["GET", "/models/b", "coordinator/unknown-model"],
    ["PUT", "/models/b", "coordinator/unknown-model"],
    ["GET", "/models/none", "coordinator/unknown-model"],
    ["PUT", "/tasks/task-a", "done"],
    ["GET", "/tasks/task-b", "coordinator/unknown-task"],
    ["PUT", "/tasks/task-b", "coordinator/unknown-task"],
    ["GET", "/tasks/none", "coordinator/unknown-task"],
    ["GET", "/rounds/round-a", "done"],
    ["GET", "/rounds/round-b", "http/not-found"],
    ["PUT", "/roles/a-training", "identity/forbidden"],
    ["PUT", "/roles/snapshot", "identity/forbidden"],
    ["GET", "/audit?model=a", "identity/forbidden"],
    ["GET", "/list", "done"],
    ["GET", "/undeclared", "identity/forbidden"],
    ["GET", "/open", "done"],
  ] as const)("%s %s: %s", async (method, url, expected) => {
    expect(await ask(method, url)).toBe(expected);
  });

  test("a body names the model", async () => {
    expect(await ask("POST", "/tasks", { model: "a" })).toBe("done");
    for (const body of [{ model: "b" }, { model: ["a"] }, {}])
      expect(await ask("POST", "/tasks", body)).toBe("identity/forbidden");
  });
});

test("several grants add up, each of its own model", async () => {
  who = principal(of(A, "viewer"), of(B, "auditor"));
  expect(await ask("GET", "/models/a")).toBe("done");
  expect(await ask("PUT", "/models/a")).toBe("identity/forbidden");
  expect(await ask("GET", "/audit?model=b")).toBe("done");
  expect(await ask("GET", "/audit?model=a")).toBe("identity/forbidden");
  expect(await ask("GET", "/audit?model=c")).toBe("coordinator/unknown-model");
  expect(await ask("GET", "/audit?model=b&model=a")).toBe("coordinator/unknown-model");
  expect(await ask("GET", "/audit")).toBe("identity/forbidden");
});

test.each<[Role, readonly string[]]>([
  ["viewer", ["done", "identity/forbidden", "identity/forbidden", "identity/forbidden"]],
  ["operator", ["done", "done", "identity/forbidden", "identity/forbidden"]],
  ["auditor", ["done", "identity/forbidden", "identity/forbidden", "done"]],
  ["admin", ["done", "done", "done", "done"]],
])("of all models, %s may look, change, administer, audit: %j", async (role, expected) => {
  who = principal(of("*", role));
  expect([
    await ask("GET", "/undeclared"),
    await ask("PUT", "/models/new"),
    await ask("PUT", "/roles/snapshot"),
    await ask("GET", "/audit"),
  ]).toEqual(expected);
});

test("what is refused is logged: who, which route, and why", async () => {
  who = principal(of(A, "viewer"));
  await ask("PUT", "/models/a");
  who = null;
  await ask("GET", "/list");
  const lines = logged.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toMatchObject([
    {
      msg: "access refused",
      principal: "ada",
      method: "PUT",
      route: "/models/:model",
      code: "identity/forbidden",
    },
    {
      msg: "access refused",
      principal: null,
      method: "GET",
      route: "/list",
      code: "identity/not-authorized",
    },
  ]);
});

test("the event stream is cut to the models that one sees", async () => {
  const tasks = {
    list: async () => [
      { name: asTaskName("task-a"), model: A },
      { name: asTaskName("task-b"), model: B },
    ],
  };
  const events = [
    { type: "round", data: { model: A, task: "task-a", id: asRoundId("round-a") } },
    { type: "round", data: { model: B, task: "task-b" } },
    { type: "suspicion", data: { task: "task-a" } },
    { type: "suspicion", data: { task: "task-b" } },
    { type: "suspicion", data: { task: "task-new" } },
    { type: "task", data: { model: A, name: "task-new" } },
    { type: "suspicion", data: { task: "task-new" } },
    { type: "devices", data: { connected: 1 } },
    { type: "of-a-later-kind", data: { text: "b" } },
    { type: "alert", data: { subject: { task: "task-a" } } },
    { type: "alert", data: { subject: { model: B } } },
    { type: "alert", data: { subject: {} } },
    { type: "record", data: { action: "model.notes", model: A, task: null } },
    { type: "record", data: { action: "task.pause", model: null, task: "task-b" } },
    { type: "record", data: { action: "key.rotate", model: null, task: null } },
    { type: "activity", data: { task: "task-a" } },
    { type: "activity", data: { task: "task-b" } },
    { type: "storage", data: { problem: null } },
    { type: "record", data: { action: "operator.password", model: null, task: null } },
  ];
  const shown = async (who: Principal | null) => {
    const sees = await eventFilter(who, { tasks } as never);
    return events.flatMap((event, index) => (sees(event) ? [index] : []));
  };
  expect(await shown(principal(of(A, "viewer")))).toEqual([0, 2, 5, 6, 7, 9, 12, 15, 17]);
  // Who may sign in is for auditors.
  expect(await shown(principal(of("*", "viewer")))).toEqual(events.map((_, index) => index).slice(0, -1));
  expect(await shown(principal(of("*", "auditor")))).toEqual(events.map((_, index) => index));
  expect(await shown(null)).toEqual([]);
  expect(may(principal(of(A, "viewer")), "view", B)).toBe(false);
});
