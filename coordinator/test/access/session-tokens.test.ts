import { silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import type { ApiTokenCreated, ApiTokenView, SessionView } from "@tributary/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { createApiTokens } from "../../src/access/api-tokens.ts";
import { CALLBACK_PATH } from "../../src/access/oidc/oidc-routes.ts";
import { sessionOwner } from "../../src/access/session-owner.ts";
import { createSessions } from "../../src/access/sessions.ts";
import { codeOf } from "../../src/testing/index.ts";
import { OPERATOR_BY_HTTP } from "../operator.ts";
import {
  asOperator,
  errorCode,
  runningCoordinator,
  type RunningCoordinator,
} from "../running-coordinator.ts";
import { readEvents } from "../sse-reader.ts";
import { CookieJar } from "./cookie-jar.ts";
import { CLIENT_ID, CLIENT_SECRET, openIdProvider, type OpenIdProvider } from "./openid-provider.ts";

// Tokens of people for whom an identity provider vouches: each is of a session, and is nothing without it.

const HOUR_MS = 3_600_000;
const VIEWER = [{ model: "*", role: "viewer" }];
const GRANTS = ["groups=readers:viewer", "groups=ml-ops:operator@digits", "groups=boss:admin"];

let provider: OpenIdProvider;
let coordinator: RunningCoordinator;
const oidc = (grants = GRANTS) => ({
  issuer: provider.issuer,
  clientId: CLIENT_ID,
  clientSecret: CLIENT_SECRET,
  grants,
});
beforeAll(async () => {
  provider = await openIdProvider();
  coordinator = await runningCoordinator({
    env: { log: silentLogger },
    trustedProxies: ["127.0.0.1"],
    limits: { eventHeartbeatMs: 20 },
    oidc: oidc(),
  });
  provider.open(coordinator.url + CALLBACK_PATH, {
    "subject-of-ada": { preferred_username: "ada", groups: ["readers", "ml-ops"] },
    "subject-of-another-ada": { preferred_username: "ada", groups: ["readers"] },
    "subject-of-boss": { preferred_username: "boss", groups: ["boss"] },
  });
});
afterAll(async () => {
  await coordinator.end();
  await provider.close();
});

interface TokenList {
  readonly tokens: readonly ApiTokenView[];
}
interface SignedIn {
  readonly jar: CookieJar;
  readonly view: SessionView;
}

async function signIn(person: string): Promise<SignedIn> {
  const jar = new CookieJar();
  provider.person = person;
  const callback = await jar.follow(`${coordinator.url}/v1/session/oidc`, coordinator.url + CALLBACK_PATH);
  await jar.get(callback);
  const view = (await (await jar.get(`${coordinator.url}/v1/session`)).json()) as SessionView;
  return { jar, view };
}

const send = ({ jar, view }: SignedIn, method: string, path: string, body?: object): Promise<Response> =>
  jar.send(coordinator.url + path, {
    method,
    headers: {
      "tributary-csrf": view.csrfToken!,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });

async function make(who: SignedIn, more: object = {}): Promise<ApiTokenCreated> {
  const answer = await send(who, "POST", "/v1/api-tokens", { label: "notebook", grants: VIEWER, ...more });
  expect(answer.status).toBe(201);
  return (await answer.json()) as ApiTokenCreated;
}

const status = async (token: string, path = "/v1/models"): Promise<number> =>
  (await coordinator.request(path, { operator: false, headers: asOperator(token) })).status;
const sessionOf = async (who: SignedIn): Promise<string> => {
  const { sessions } = (await (await send(who, "GET", "/v1/operator-sessions")).json()) as {
    sessions: { id: string; current: boolean }[];
  };
  return sessions.find(({ current }) => current)!.id;
};

describe("a token of whoever the provider knows", () => {
  test.each([[7], [null]])("asked for %s days is good no longer than their session", async (days) => {
    const ada = await signIn("subject-of-ada");
    const { token, view } = await make(ada, { days });
    expect(view).toMatchObject({ account: null, session: { id: await sessionOf(ada), name: "ada" } });
    expect(view.expiresAt).toBe(ada.view.expiresAt);
    expect(Date.parse(view.expiresAt!) - Date.now()).toBeLessThanOrEqual(12 * HOUR_MS);
    expect(await status(token)).toBe(200);
  });

  test("may no more than the session", async () => {
    const ada = await signIn("subject-of-ada");
    const operator = [{ model: "digits", role: "operator" }];
    const wide = { label: "wide", grants: [{ model: "*", role: "operator" }] };
    expect(await errorCode(await send(ada, "POST", "/v1/api-tokens", wide))).toBe("identity/forbidden");
    const { token } = await make(ada, { grants: operator });
    expect(await status(token, "/v1/devices")).toBe(403);
  });

  test("does what it does in the person's name, by subject", async () => {
    const boss = await signIn("subject-of-boss");
    const { token, view } = await make(boss, { grants: [{ model: "*", role: "admin" }] });
    const rule = await coordinator.request("/v1/alert-rules/space", {
      method: "PUT",
      operator: false,
      headers: { ...asOperator(token), "content-type": "application/json" },
      body: JSON.stringify({ kind: "disk-almost-full", threshold: 0.5 }),
    });
    expect(rule.status).toBeLessThan(300);
    const { records } = (await (await coordinator.request("/v1/audit?limit=3")).json()) as {
      records: { actor: object; action: string; detail: object }[];
    };
    const who = { kind: "operator", via: "http", subject: "subject-of-boss" };
    expect(records).toMatchObject([
      { actor: { ...who, name: "boss/notebook" }, action: "alert-rule.set" },
      { actor: { ...who, name: "boss" }, action: "api-token.create", detail: { session: view.session!.id } },
      { action: "session.begin" },
    ]);
    // What it makes would outlive the session.
    const more = await coordinator.request("/v1/api-tokens", {
      method: "POST",
      operator: false,
      headers: { ...asOperator(token), "content-type": "application/json" },
      body: JSON.stringify({ label: "more", grants: VIEWER }),
    });
    expect(await errorCode(more)).toBe("identity/token-makes-none");
  });

  test.each([
    ["signing out", (who: SignedIn) => send(who, "DELETE", "/v1/session")],
    [
      "an admin",
      async (who: SignedIn) =>
        coordinator.request(`/v1/operator-sessions/${await sessionOf(who)}`, {
          method: "DELETE",
          operator: true,
        }),
    ],
  ])("ends with the session, by %s, on an open event stream too", async (_, end) => {
    const ada = await signIn("subject-of-ada");
    const { token, view } = await make(ada);
    const stream = await readEvents(`${coordinator.url}/v1/events`, { ...asOperator(token) });
    expect(stream.headers["status"]).toBe(200);
    expect((await end(ada)).status).toBe(200);
    expect(await status(token)).toBe(401);
    await stream.closed;
    const { tokens } = (await (await coordinator.request("/v1/api-tokens")).json()) as TokenList;
    expect(tokens.map(({ id }) => id)).not.toContain(view.id);
  });

  test("is seen and revoked by them, from any of their sessions, and by no namesake", async () => {
    const first = await signIn("subject-of-ada");
    const { token, view } = await make(first);
    const second = await signIn("subject-of-ada");
    const namesake = await signIn("subject-of-another-ada");
    const listed = async (who: SignedIn) =>
      ((await (await send(who, "GET", "/v1/api-tokens")).json()) as TokenList).tokens.map(({ id }) => id);
    expect(await listed(second)).toContain(view.id);
    expect(await listed(namesake)).toEqual([]);
    expect((await send(namesake, "DELETE", `/v1/api-tokens/${view.id}`)).status).toBe(404);
    const boss = await signIn("subject-of-boss");
    expect(await listed(boss)).toContain(view.id);
    // Signing the other browser out does nothing to it.
    await send(second, "DELETE", "/v1/session");
    expect(await status(token)).toBe(200);
    expect((await send(first, "DELETE", `/v1/api-tokens/${view.id}`)).status).toBe(200);
    expect(await status(token)).toBe(401);
  });

  test("is not the answer to a namesake who asks with the same key", async () => {
    const wanted = { label: "notebook", grants: VIEWER };
    for (const person of ["subject-of-ada", "subject-of-another-ada"]) {
      const { jar, view } = await signIn(person);
      const made = await jar.send(`${coordinator.url}/v1/api-tokens`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "idempotency-key": "of-a-notebook",
          "tributary-csrf": view.csrfToken!,
        },
        body: JSON.stringify(wanted),
      });
      expect([person, made.status]).toEqual([person, 201]);
    }
  });

  test("can be given up by itself", async () => {
    const { token, view } = await make(await signIn("subject-of-ada"));
    const revoked = await coordinator.request(`/v1/api-tokens/${view.id}`, {
      method: "DELETE",
      operator: false,
      headers: asOperator(token),
    });
    expect([revoked.status, await status(token)]).toEqual([200, 401]);
  });
});

describe("at another time, and under other rules", () => {
  const clock = createVirtualClock();
  const opened = new AsyncDisposableStack();
  const random = systemRandom;
  const seen = { address: "192.0.2.1", agent: "a browser" };
  const vouched = { issuer: "https://login.example.org", subject: "1", rules: "first" };
  const grants = [{ model: "*", role: "viewer" }] as const;
  const world = async () => {
    const metadata = await openSqlMetadataStore({ path: ":memory:" });
    opened.defer(() => metadata.close());
    const store = () => metadata;
    const under = (rules: string) => {
      const provider = { rules, lifetimeMs: 12 * HOUR_MS };
      const sessions = createSessions({
        store,
        clock,
        random,
        idleMs: 8 * HOUR_MS,
        lifetimeMs: 1_000 * HOUR_MS,
        provider,
      });
      return { sessions, tokens: createApiTokens({ store, sessions, clock, random }) };
    };
    const first = under("first");
    const { cookie, session } = await first.sessions.begin({ name: "ada", grants, vouched }, seen);
    const by = { ...(await sessionOwner(session, metadata))!, session };
    const make = () => first.tokens.make(by, { label: "notebook", grants, days: 30 }, OPERATOR_BY_HTTP);
    return { under, first, cookie, session, make };
  };
  afterAll(() => opened.disposeAsync());

  test("the token is none where the coordinator was started with rules that give other roles", async () => {
    const { under, first, make } = await world();
    const { token } = await make();
    expect(await first.tokens.principal(token)).toEqual({
      kind: "token",
      name: "ada/notebook",
      grants,
      subject: "1",
    });
    expect(await under("second").tokens.principal(token)).toBeUndefined();
  });

  test("it ends at the latest when the session does, and when its browser is not used: using it is no use of that", async () => {
    const { first, cookie, make } = await world();
    const { token, record } = await make();
    expect(record.expiresAt! - record.createdAt).toBe(12 * HOUR_MS);
    const other = await world();
    const { token: ofUnused } = await other.make();
    clock.advance(7 * HOUR_MS);
    await first.sessions.find(cookie, seen);
    expect(await other.first.tokens.principal(ofUnused)).toMatchObject({ subject: "1" });
    clock.advance(HOUR_MS);
    expect(await other.first.tokens.principal(ofUnused)).toBeUndefined();
    clock.advance(HOUR_MS);
    expect(await first.tokens.principal(token)).toMatchObject({ subject: "1" });
    clock.advance(3 * HOUR_MS);
    expect(await first.tokens.principal(token)).toBeUndefined();
  });

  test("none is made in a session that ended meanwhile", async () => {
    const { first, session, make } = await world();
    await first.sessions.end(session.id);
    expect(await codeOf(make())).toBe("identity/not-authorized");
  });
});
