import { silentLogger } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import type { ApiTokenCreated, SessionView } from "@tributary/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  asOperator,
  errorCode,
  runningCoordinator,
  type RunningCoordinator,
} from "../running-coordinator.ts";
import { readEvents } from "../sse-reader.ts";

const PASSWORD = "correct horse battery";
const JSON_BODY = { "content-type": "application/json" };

let coordinator: RunningCoordinator;
beforeAll(async () => {
  coordinator = await runningCoordinator({
    env: { log: silentLogger, passwordCost: { logN: 4, r: 8, p: 1 } },
  });
  for (const model of ["digits", "cats"]) {
    const published = await coordinator.request(`/v1/models/${model}/versions`, {
      method: "POST",
      operator: true,
      headers: { "content-type": "application/octet-stream" },
      body: buildLinear({ seed: model }),
    });
    expect(published.status).toBe(201);
  }
});
afterAll(() => coordinator.end());

interface Browser {
  readonly cookie: string;
  readonly csrfToken: string;
  readonly view: SessionView;
}

const post = (path: string, body: object, headers: Record<string, string> = {}, method = "POST") =>
  coordinator.request(path, {
    method,
    operator: false,
    headers: { ...JSON_BODY, ...headers },
    body: JSON.stringify(body),
  });

async function browserOf(answer: Response): Promise<Browser> {
  expect(answer.status).toBe(200);
  const view = (await answer.json()) as SessionView;
  const set = answer.headers.get("set-cookie") ?? "";
  expect(set).toMatch(/^tributary-session=[\w-]{43}; Max-Age=604800; Path=\/; HttpOnly; SameSite=Strict$/);
  return { cookie: set.split(";", 1)[0]!, csrfToken: view.csrfToken!, view };
}

const signIn = async (name: string, password = PASSWORD, headers: Record<string, string> = {}) =>
  browserOf(await post("/v1/session", { name, password }, headers));
const as = ({ cookie, csrfToken }: Browser): Record<string, string> => ({
  cookie,
  "tributary-csrf": csrfToken,
});
const get = (path: string, headers: Record<string, string>) =>
  coordinator.request(path, { operator: false, headers });

let admin: Browser;

describe("the setup link", () => {
  test("makes the first admin, once, by the code in its fragment", async () => {
    const url = new URL(coordinator.setupUrl!);
    expect([url.pathname, url.search]).toEqual(["/setup", ""]);
    const code = new URLSearchParams(url.hash.slice(1)).get("code")!;
    const account = { name: "ada", password: PASSWORD };
    expect(await errorCode(await post("/v1/setup", { ...account, code: `${code}x` }))).toBe(
      "identity/invalid-setup-code",
    );
    const weak = await post("/v1/setup", { code, name: "ada", password: "adaadaadaada" });
    expect(await errorCode(weak)).toBe("identity/weak-password");
    admin = await browserOf(await post("/v1/setup", { ...account, code }));
    expect(admin.view.principal).toMatchObject({ kind: "account", name: "ada" });
    expect(await errorCode(await post("/v1/setup", { code, name: "eve", password: PASSWORD }))).toBe(
      "identity/invalid-setup-code",
    );
    const stranger = (await (await get("/v1/session", {})).json()) as SessionView;
    expect(stranger).toMatchObject({ principal: null, signIn: { password: true, setup: false } });
  });
});

describe("a session", () => {
  test("is needed with the header of its page, for what changes something", async () => {
    expect((await get("/v1/models", { cookie: admin.cookie })).status).toBe(200);
    const notes = (headers: Record<string, string>) =>
      post("/v1/models/digits/card-notes", { licence: "MIT" }, headers, "PUT");
    expect(await errorCode(await notes({ cookie: admin.cookie }))).toBe("identity/csrf");
    const wrong = { cookie: admin.cookie, "tributary-csrf": "wrong" };
    expect(await errorCode(await notes(wrong))).toBe("identity/csrf");
    expect((await notes(as(admin))).status).toBe(200);
    const audit = (await (await get("/v1/audit?action=model.notes", as(admin))).json()) as {
      records: { actor: object }[];
    };
    expect(audit.records).toMatchObject([{ actor: { kind: "operator", via: "http", name: "ada" } }]);
  });

  test("is a new one at each sign-in: what somebody put into a browser before is of no use", async () => {
    const fixed = "tributary-session=" + "A".repeat(43);
    const browser = await signIn("ada", PASSWORD, { cookie: fixed });
    expect(browser.cookie).not.toBe(fixed);
    expect((await get("/v1/models", { cookie: fixed })).status).toBe(401);
    // In the same browser: the one before is over.
    const again = await signIn("ada", PASSWORD, { cookie: browser.cookie });
    expect((await get("/v1/models", { cookie: browser.cookie })).status).toBe(401);
    const out = await coordinator.request("/v1/session", {
      method: "DELETE",
      operator: false,
      headers: as(again),
    });
    expect(out.headers.get("set-cookie")).toMatch(/^tributary-session=; Max-Age=0/);
    expect((await get("/v1/models", { cookie: again.cookie })).status).toBe(401);
  });

  test("is listed, and ended from another browser", async () => {
    const phone = await signIn("ada");
    const listed = (await (await get("/v1/operator-sessions", as(admin))).json()) as {
      sessions: { id: string; current: boolean }[];
    };
    const other = listed.sessions.find(({ current }) => !current)!;
    const ended = await coordinator.request(`/v1/operator-sessions/${other.id}`, {
      method: "DELETE",
      operator: false,
      headers: as(admin),
    });
    expect(ended.status).toBe(200);
    expect((await get("/v1/models", { cookie: phone.cookie })).status).toBe(401);
  });
});

describe("roles", () => {
  let ben: Browser;
  beforeAll(async () => {
    const grants = [{ model: "digits", role: "viewer" }];
    const added = await post("/v1/operators", { name: "ben", password: PASSWORD, grants }, as(admin));
    expect(added.status).toBe(201);
    expect(JSON.stringify(await added.json())).not.toContain("scrypt");
    ben = await signIn("ben");
  });

  test("of one model show that model alone", async () => {
    const { models } = (await (await get("/v1/models", as(ben))).json()) as { models: { name: string }[] };
    expect(models.map(({ name }) => name)).toEqual(["digits"]);
    expect(await errorCode(await get("/v1/models/cats", as(ben)))).toBe("coordinator/unknown-model");
    const write = await post("/v1/models/digits/card-notes", {}, as(ben), "PUT");
    expect(await errorCode(write)).toBe("identity/forbidden");
    for (const path of ["/v1/operators", "/v1/audit", "/v1/devices", "/metrics"])
      expect([path, await errorCode(await get(path, as(ben)))]).toEqual([path, "identity/forbidden"]);
    const stream = await readEvents(`${coordinator.url}/v1/events?lastEventId=0`, { cookie: ben.cookie });
    expect((await stream.nextOf("version")).data).toMatchObject({ model: "digits" });
    expect(stream.text()).not.toContain("cats");
    stream.close();
  });

  test("change from the next request on, and with the account everything of it ends", async () => {
    const grants = [{ model: "digits", role: "operator" }];
    await post("/v1/operators/ben/grants", { grants }, as(admin), "PUT");
    expect((await post("/v1/models/digits/card-notes", {}, as(ben), "PUT")).status).toBe(200);
    const wanted = { label: "nightly", grants, days: 1 };
    const { token } = (await (await post("/v1/api-tokens", wanted, as(ben))).json()) as ApiTokenCreated;
    expect((await get("/v1/models/digits", asOperator(token))).status).toBe(200);
    const removed = await coordinator.request("/v1/operators/ben", {
      method: "DELETE",
      operator: false,
      headers: as(admin),
    });
    expect(removed.status).toBe(200);
    expect((await get("/v1/models/digits", as(ben))).status).toBe(401);
    expect((await get("/v1/models/digits", asOperator(token))).status).toBe(401);
  });
});

describe("a token for programs", () => {
  test("may no more than its maker, is shown once, and is refused when it is revoked", async () => {
    const make = (body: object, headers: Record<string, string>) => post("/v1/api-tokens", body, headers);
    const viewer = { label: "ci", grants: [{ model: "digits", role: "viewer" }] };
    const created = (await (await make(viewer, as(admin))).json()) as ApiTokenCreated;
    const { token, view } = created;
    expect(token).toMatch(/^tributary_op_[0-9a-f]{12}_[0-9a-f]{64}$/);
    expect(view).toMatchObject({ label: "ci", account: "ada", usedAt: null });
    expect(Date.parse(view.expiresAt!) - Date.parse(view.createdAt)).toBe(90 * 86_400_000);
    expect(await errorCode(await get("/v1/models/cats", asOperator(token)))).toBe(
      "coordinator/unknown-model",
    );
    const more = { label: "more", grants: [{ model: "*", role: "admin" }] };
    expect(await errorCode(await make(more, asOperator(token)))).toBe("identity/token-makes-none");
    const shown = await (await get("/v1/api-tokens", as(admin))).text();
    expect(shown).toContain(view.id);
    expect(shown).not.toContain(token);
    const revoked = await coordinator.request(`/v1/api-tokens/${view.id}`, {
      method: "DELETE",
      operator: false,
      headers: as(admin),
    });
    expect(revoked.status).toBe(200);
    expect((await get("/v1/models/digits", asOperator(token))).status).toBe(401);
  });
});

test("passwords are guessed at slowly, whoever is guessed at", async () => {
  const codes: string[] = [];
  for (let guess = 0; guess < 11; guess++)
    codes.push(await errorCode(await post("/v1/session", { name: "nobody", password: `guess ${guess}` })));
  expect(codes.slice(0, 10)).toEqual(Array.from({ length: 10 }, () => "identity/sign-in-failed"));
  expect(codes[10]).toBe("http/too-many-requests");
  // Not for others.
  await signIn("ada");
});
