import { createHash, randomBytes } from "node:crypto";
import { silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import type { ApiTokenCreated, SessionView } from "@tributary/protocol";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createLoginCodes, LOGIN_CODE_MS } from "../../src/access/login-codes.ts";
import { CALLBACK_PATH } from "../../src/access/oidc/oidc-routes.ts";
import { codeOf } from "../../src/testing/index.ts";
import {
  asOperator,
  errorCode,
  runningCoordinator,
  type RunningCoordinator,
} from "../running-coordinator.ts";
import { CookieJar } from "./cookie-jar.ts";
import { CLIENT_ID, CLIENT_SECRET, openIdProvider, type OpenIdProvider } from "./openid-provider.ts";

const PASSWORD = "correct horse battery";
const VIEWER = [{ model: "*", role: "viewer" }];

/** What a command line keeps to itself, and what it shows of it (RFC 7636, 4.1 and 4.2). */
function proofKey(): { readonly verifier: string; readonly challenge: string } {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

describe("a code", () => {
  const clock = createVirtualClock();
  const login = (session: string) => ({ session, wanted: { label: "login here", grants: [], days: 1 } });
  const codes = createLoginCodes({ clock, random: systemRandom });
  const taken = (code: string, verifier: string) => codeOf((async () => codes.take(code, verifier))());

  // RFC 7636, appendix B.
  test("is taken with the verifier of its challenge, once", async () => {
    const code = codes.issue("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", login("one"));
    const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    expect(codes.take(code, verifier)).toEqual(login("one"));
    expect(await taken(code, verifier)).toBe("identity/invalid-login-code");
  });

  test("is of no use to another verifier, nor to the right one afterwards", async () => {
    const { verifier, challenge } = proofKey();
    const code = codes.issue(challenge, login("two"));
    expect(await taken(code, proofKey().verifier)).toBe("identity/invalid-login-code");
    expect(await taken(code, verifier)).toBe("identity/invalid-login-code");
  });

  test("is good for a minute, and until its session has another", async () => {
    const { verifier, challenge } = proofKey();
    const late = codes.issue(challenge, login("three"));
    clock.advance(LOGIN_CODE_MS);
    expect(await taken(late, verifier)).toBe("identity/invalid-login-code");
    const before = codes.issue(challenge, login("three"));
    const another = codes.issue(challenge, login("four"));
    const next = codes.issue(challenge, login("three"));
    expect(await taken(before, verifier)).toBe("identity/invalid-login-code");
    clock.advance(LOGIN_CODE_MS - 1);
    for (const code of [another, next]) expect(await taken(code, verifier)).toBeUndefined();
  });

  test("that is none is refused as one that is", async () => {
    expect(await taken("nonsense", proofKey().verifier)).toBe("identity/invalid-login-code");
  });
});

describe("a command line", () => {
  let provider: OpenIdProvider;
  let coordinator: RunningCoordinator;
  beforeAll(async () => {
    provider = await openIdProvider();
    coordinator = await runningCoordinator({
      env: { log: silentLogger, passwordCost: { logN: 4, r: 8, p: 1 } },
      trustedProxies: ["127.0.0.1"],
      oidc: {
        issuer: provider.issuer,
        clientId: CLIENT_ID,
        clientSecret: CLIENT_SECRET,
        grants: ["groups=readers:viewer"],
      },
    });
    provider.open(coordinator.url + CALLBACK_PATH, {
      "subject-of-dora": { preferred_username: "dora", groups: ["readers"] },
    });
    for (const [name, model] of [
      ["ada", "*"],
      ["ben", "digits"],
    ] as const) {
      const added = await coordinator.request("/v1/operators", {
        method: "POST",
        operator: true,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name, password: PASSWORD, grants: [{ model, role: "operator" }] }),
      });
      expect(added.status).toBe(201);
    }
  });
  afterAll(async () => {
    await coordinator.end();
    await provider.close();
  });

  interface SignedIn {
    readonly jar: CookieJar;
    readonly view: SessionView;
  }
  const post = (jar: CookieJar, path: string, body: object, headers: Readonly<Record<string, string>> = {}) =>
    jar.send(coordinator.url + path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  const byPassword = async (name: string): Promise<SignedIn> => {
    const jar = new CookieJar();
    const answer = await post(jar, "/v1/session", { name, password: PASSWORD });
    return { jar, view: (await answer.json()) as SessionView };
  };
  const byProvider = async (): Promise<SignedIn> => {
    const jar = new CookieJar();
    provider.person = "subject-of-dora";
    await jar.get(await jar.follow(`${coordinator.url}/v1/session/oidc`, coordinator.url + CALLBACK_PATH));
    return { jar, view: (await (await jar.get(`${coordinator.url}/v1/session`)).json()) as SessionView };
  };
  const allow = ({ jar, view }: SignedIn, challenge: string, more: object = {}) =>
    post(
      jar,
      "/v1/login-codes",
      { challenge, machine: "laptop", grants: VIEWER, ...more },
      { "tributary-csrf": view.csrfToken! },
    );
  const codeOfAnswer = async (answer: Response): Promise<string> => {
    expect(answer.status).toBe(201);
    return ((await answer.json()) as { code: string }).code;
  };
  const exchange = (code: string, verifier: string, jar = new CookieJar()) =>
    post(jar, "/v1/login-codes/token", { code, verifier });
  const signOut = async ({ jar, view }: SignedIn) =>
    jar.send(`${coordinator.url}/v1/session`, {
      method: "DELETE",
      headers: { "tributary-csrf": view.csrfToken! },
    });
  const status = async (token: string) =>
    (await coordinator.request("/v1/models", { operator: false, headers: asOperator(token) })).status;

  test("gets a token of the account that allowed it, for as long as it asked; it outlives the session", async () => {
    const { verifier, challenge } = proofKey();
    const ada = await byPassword("ada");
    const code = await codeOfAnswer(await allow(ada, challenge));
    const answer = await exchange(code, verifier);
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const { token, view } = (await answer.json()) as ApiTokenCreated;
    expect(view).toMatchObject({ label: "login laptop", account: "ada", session: null, grants: VIEWER });
    expect(Date.parse(view.expiresAt!) - Date.parse(view.createdAt)).toBe(30 * 86_400_000);
    await signOut(ada);
    expect(await status(token)).toBe(200);
    const { records } = (await (await coordinator.request("/v1/audit?limit=3")).json()) as {
      records: object[];
    };
    const actor = { kind: "operator", via: "http", name: "ada" };
    expect(records).toMatchObject([
      { action: "session.end" },
      { actor, action: "api-token.create", detail: { label: "login laptop", account: "ada" } },
      { actor, action: "login.allow", detail: { machine: "laptop", address: ada.jar.address } },
    ]);
  });

  test("gets one of the session of whoever the provider knows: it ends with it", async () => {
    const { verifier, challenge } = proofKey();
    const dora = await byProvider();
    const code = await codeOfAnswer(await allow(dora, challenge));
    const { token, view } = (await (await exchange(code, verifier)).json()) as ApiTokenCreated;
    expect(view).toMatchObject({ account: null, session: { name: "dora" }, expiresAt: dora.view.expiresAt });
    const { records } = (await (await coordinator.request("/v1/audit?limit=1")).json()) as {
      records: object[];
    };
    const actor = { kind: "operator", via: "http", name: "dora", subject: "subject-of-dora" };
    expect(records).toMatchObject([{ actor, action: "api-token.create" }]);
    expect(await status(token)).toBe(200);
    await signOut(dora);
    expect(await status(token)).toBe(401);
  });

  test("gets nothing with another verifier, a code that was used, or one of a session that ended", async () => {
    const ada = await byPassword("ada");
    const first = proofKey();
    const wrong = await codeOfAnswer(await allow(ada, first.challenge));
    for (const verifier of [proofKey().verifier, first.verifier]) {
      const answer = await exchange(wrong, verifier);
      expect([answer.status, await errorCode(answer)]).toEqual([403, "identity/invalid-login-code"]);
    }
    const second = proofKey();
    const used = await codeOfAnswer(await allow(ada, second.challenge));
    expect((await exchange(used, second.verifier)).status).toBe(201);
    expect(await errorCode(await exchange(used, second.verifier))).toBe("identity/invalid-login-code");
    for (const who of [ada, await byProvider()]) {
      const third = proofKey();
      const orphan = await codeOfAnswer(await allow(who, third.challenge));
      await signOut(who);
      expect(await errorCode(await exchange(orphan, third.verifier))).toBe("identity/invalid-login-code");
    }
  });

  test("gets nothing at another coordinator", async () => {
    const other = await runningCoordinator();
    try {
      const { verifier, challenge } = proofKey();
      const code = await codeOfAnswer(await allow(await byPassword("ada"), challenge));
      const there = await other.request("/v1/login-codes/token", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ code, verifier }),
      });
      expect(await errorCode(there)).toBe("identity/invalid-login-code");
    } finally {
      await other.end();
    }
  });

  test("is allowed by nobody but who signed in, on the coordinator's own page, and no more than they may", async () => {
    const { challenge } = proofKey();
    const body = { challenge, machine: "laptop", grants: VIEWER };
    const ada = await byPassword("ada");
    // A page of another site makes the browser send it.
    expect(await errorCode(await post(ada.jar, "/v1/login-codes", body))).toBe("identity/csrf");
    expect(await errorCode(await post(new CookieJar(), "/v1/login-codes", body))).toBe(
      "identity/not-authorized",
    );
    for (const token of [coordinator.operatorToken, await tokenOf(ada)]) {
      const answer = await post(new CookieJar(), "/v1/login-codes", body, { ...asOperator(token) });
      expect(await errorCode(answer)).toBe("identity/token-makes-none");
    }
    // Of another model, and with another role.
    const ben = await byPassword("ben");
    for (const grants of [[{ model: "cats", role: "viewer" }], [{ model: "digits", role: "admin" }]])
      expect(await errorCode(await allow(ben, challenge, { grants }))).toBe("identity/forbidden");
  });

  const tokenOf = async (who: SignedIn): Promise<string> => {
    const { verifier, challenge } = proofKey();
    const code = await codeOfAnswer(await allow(who, challenge));
    return ((await (await exchange(code, verifier)).json()) as ApiTokenCreated).token;
  };

  test.each([
    ["no challenge", { challenge: "" }],
    ["a challenge that is plain", { challenge: "x".repeat(44) }],
    ["a machine with a line of its own", { machine: "laptop\n" }],
    ["no role", { grants: [] }],
    ["for ever", { days: null }],
    ["for longer than a year", { days: 366 }],
  ])("that asks for %s is not understood", async (_, more) => {
    const answer = await allow(await byPassword("ada"), proofKey().challenge, more);
    expect(answer.status).toBe(400);
  });

  test("guesses slowly", async () => {
    const jar = new CookieJar();
    const codes: string[] = [];
    for (let i = 0; i < 11; i++)
      codes.push(await errorCode(await exchange(`guess ${i}`, proofKey().verifier, jar)));
    expect(codes[9]).toBe("identity/invalid-login-code");
    expect(codes[10]).toBe("http/too-many-requests");
    // Not for others.
    await tokenOf(await byPassword("ada"));
  });
});
