import { silentLogger } from "@tributary/core";
import type { SessionView } from "@tributary/protocol";
import { generateKeyPair } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CALLBACK_PATH } from "../../src/access/oidc/oidc-routes.ts";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";
import { CookieJar } from "./cookie-jar.ts";
import {
  CLIENT_ID,
  CLIENT_SECRET,
  openIdProvider,
  signed,
  type OpenIdProvider,
  type Tamper,
} from "./openid-provider.ts";

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
      name: "Example login",
      grants: ["groups=ml-ops:operator@digits", "groups=readers:viewer", "email=boss@example.org:admin"],
    },
  });
  provider.open(coordinator.url + CALLBACK_PATH, {
    "subject-of-ada": { preferred_username: "ada", groups: ["ml-ops", "readers"] },
    "subject-of-another-ada": { preferred_username: "ada", groups: ["readers"] },
    "subject-of-eve": { preferred_username: "eve", groups: ["sales"] },
    "subject-of-boss": { preferred_username: "boss", email: "boss@example.org", email_verified: true },
    "subject-of-mallory": { preferred_username: "mallory", email: "boss@example.org", email_verified: false },
  });
});
afterAll(async () => {
  await coordinator.end();
  await provider.close();
});
beforeEach(() => {
  provider.tamper = undefined;
});

const start = (returnTo = "/models/digits"): string =>
  `${coordinator.url}/v1/session/oidc?returnTo=${encodeURIComponent(returnTo)}`;
/** As far as the address that the provider sends the browser back to. */
const atCallback = async (jar: CookieJar, person: string | undefined): Promise<URL> => {
  provider.person = person;
  return jar.follow(start(), coordinator.url + CALLBACK_PATH);
};
const signIn = async (person: string): Promise<{ jar: CookieJar; view: SessionView; answer: Response }> => {
  const jar = new CookieJar();
  const answer = await jar.get(await atCallback(jar, person));
  const view = (await (await jar.get(`${coordinator.url}/v1/session`)).json()) as SessionView;
  return { jar, view, answer };
};

describe("whoever the provider knows", () => {
  test("is signed in with the roles of their groups, where they were", async () => {
    const { jar, view, answer } = await signIn("subject-of-ada");
    expect([answer.status, answer.headers.get("location")]).toEqual([
      303,
      `${coordinator.url}/models/digits`,
    ]);
    expect(view.principal).toEqual({
      kind: "identity-provider",
      name: "ada",
      account: null,
      grants: [
        { model: "digits", role: "operator" },
        { model: "*", role: "viewer" },
      ],
    });
    expect(view.signIn.identityProvider).toBe("Example login");
    // The session's own cookie is never sent along from elsewhere; that of the way here is, and is gone by now.
    const own = jar.set.filter((line) => line.startsWith("tributary-session="));
    expect(own).toHaveLength(1);
    expect(own[0]).toMatch(/; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/);
    const pending = jar.set.filter((line) => line.startsWith("tributary-sign-in="));
    expect(pending[0]).toMatch(/; Max-Age=600; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(jar.of(coordinator.url).has("tributary-sign-in")).toBe(false);
  });

  test("is in the audit log by issuer and subject, and signs out", async () => {
    const { jar, view } = await signIn("subject-of-boss");
    const out = await fetch(`${coordinator.url}/v1/session`, {
      method: "DELETE",
      headers: {
        cookie: `tributary-session=${jar.of(coordinator.url).get("tributary-session")}`,
        "tributary-csrf": view.csrfToken!,
      },
    });
    expect(out.status).toBe(200);
    expect(
      ((await (await jar.get(`${coordinator.url}/v1/session`)).json()) as SessionView).principal,
    ).toBeNull();
    const { records } = (await (await coordinator.request("/v1/audit?limit=2")).json()) as {
      records: object[];
    };
    const actor = { kind: "operator", via: "http", name: "boss", subject: "subject-of-boss" };
    const detail = { operator: "boss", issuer: `${provider.issuer}/`, subject: "subject-of-boss" };
    expect(records).toMatchObject([
      { actor, action: "session.end", detail },
      { actor, action: "session.begin", detail },
    ]);
  });

  test("sees their own browsers, and not those of another of the same name", async () => {
    const ada = await signIn("subject-of-ada");
    const other = await signIn("subject-of-another-ada");
    const listed = async ({ jar }: { jar: CookieJar }) =>
      ((await (await jar.get(`${coordinator.url}/v1/operator-sessions`)).json()) as { sessions: object[] })
        .sessions;
    expect(await listed(other)).toMatchObject([{ name: "ada", identityProvider: true, current: true }]);
    expect((await listed(ada)).length).toBeGreaterThan(0);
    expect((await listed(ada)).filter((each) => (each as { current: boolean }).current)).toHaveLength(1);
  });

  test("is refused where no rule fits, and is told so", async () => {
    for (const person of ["subject-of-eve", "subject-of-mallory"]) {
      const jar = new CookieJar();
      const answer = await jar.get(await atCallback(jar, person));
      expect([person, answer.status, await errorCode(answer)]).toEqual([person, 403, "identity/no-role"]);
      expect(jar.set.some((line) => line.startsWith("tributary-session="))).toBe(false);
    }
    // A person is shown where they were, and signs in there.
    const jar = new CookieJar();
    const answer = await jar.get(await atCallback(jar, "subject-of-eve"), { accept: "text/html,*/*" });
    expect(answer.headers.get("location")).toBe(
      `${coordinator.url}/models/digits?problem=identity%2Fno-role`,
    );
  });
});

describe("the way there and back", () => {
  test("has a state, a nonce and a code challenge, and no secret", async () => {
    const answer = await new CookieJar().get(start());
    const url = new URL(answer.headers.get("location")!);
    expect(url.origin).toBe(provider.issuer);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: CLIENT_ID,
      response_type: "code",
      redirect_uri: coordinator.url + CALLBACK_PATH,
      scope: "openid profile email",
      state: expect.stringMatching(/^[\w-]{43}$/) as string,
      nonce: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge: expect.stringMatching(/^[\w-]{43}$/) as string,
      code_challenge_method: "S256",
    });
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test.each([
    ["of another origin", "https://elsewhere.example/"],
    ["without a scheme", "//elsewhere.example/"],
    ["with a backslash", "/\\elsewhere.example/"],
    ["with dots", "/.//elsewhere.example/"],
    ["of a script", "javascript:alert(1)"],
  ])("never leads to an address %s", async (_, returnTo) => {
    const jar = new CookieJar();
    provider.person = "subject-of-ada";
    const callback = await jar.follow(start(returnTo), coordinator.url + CALLBACK_PATH);
    expect((await jar.get(callback)).headers.get("location")).toBe(`${coordinator.url}/`);
  });

  test("is not gone by whoever did not begin it", async () => {
    const attacker = new CookieJar();
    const callback = await atCallback(attacker, "subject-of-ada");
    // The victim's browser is led to the attacker's callback: without having begun, and having begun itself.
    const victim = new CookieJar();
    expect(await errorCode(await victim.get(callback))).toBe("identity/sign-in-expired");
    await victim.get(start());
    expect(await errorCode(await victim.get(callback))).toBe("identity/sign-in-expired");
    expect(victim.set.some((line) => line.startsWith("tributary-session="))).toBe(false);
  });

  test("ends at another state, and at a cookie that was changed", async () => {
    const jar = new CookieJar();
    const callback = await atCallback(jar, "subject-of-ada");
    const cookie = jar.of(coordinator.url).get("tributary-sign-in")!;
    const wrong = new URL(callback);
    wrong.searchParams.set("state", "another");
    expect(await errorCode(await jar.get(wrong))).toBe("identity/sign-in-expired");
    const [secret, until, path] = cookie.split(".") as [string, string, string];
    for (const changed of [`${secret}.${Number(until) - 1}.${path}`, `${secret}.${until}.Lw`, "x", ""]) {
      const headers = { cookie: `tributary-sign-in=${changed}` };
      expect(await errorCode(await new CookieJar().get(callback, headers))).toBe("identity/sign-in-expired");
    }
  });

  test("is gone once: a code is of no use a second time", async () => {
    const jar = new CookieJar();
    const callback = await atCallback(jar, "subject-of-ada");
    const cookie = `tributary-sign-in=${jar.of(coordinator.url).get("tributary-sign-in")}`;
    expect((await jar.get(callback)).status).toBe(303);
    expect(await errorCode(await jar.get(callback))).toBe("identity/sign-in-expired");
    // Also for whoever kept the cookie.
    expect(await errorCode(await new CookieJar().get(callback, { cookie }))).toBe(
      "identity/provider-refused",
    );
  });

  test("is gone so often, and then slowly", async () => {
    const jar = new CookieJar();
    const codes: string[] = [];
    for (let i = 0; i < 11; i++)
      codes.push(await errorCode(await jar.get(`${coordinator.url}${CALLBACK_PATH}?code=x&state=y`)));
    expect(codes[9]).toBe("identity/sign-in-expired");
    expect(codes[10]).toBe("http/too-many-requests");
    // Not for others.
    expect((await signIn("subject-of-ada")).answer.status).toBe(303);
  });

  test("ends where the provider says no, and where a code is made up", async () => {
    const jar = new CookieJar();
    const refused = await atCallback(jar, undefined);
    expect(refused.searchParams.get("error")).toBe("access_denied");
    expect(await errorCode(await jar.get(refused))).toBe("identity/provider-refused");
    const other = new CookieJar();
    const callback = await atCallback(other, "subject-of-ada");
    callback.searchParams.set("code", "made-up");
    expect(await errorCode(await other.get(callback))).toBe("identity/provider-refused");
  });
});

describe("an ID token", () => {
  const epoch = (): number => Math.floor(Date.now() / 1_000);
  const changed =
    (change: object): Tamper =>
    (claims) =>
      provider.sign({ ...claims, ...change });
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

  test("is believed as the provider signed it", async () => {
    const jar = new CookieJar();
    const callback = await atCallback(jar, "subject-of-ada");
    provider.tamper = changed({});
    expect((await jar.get(callback)).status).toBe(303);
  });

  test.each<[string, string, Tamper]>([
    ["for another client", "(aud)", changed({ aud: "another-client" })],
    ["for several, and another", "(azp)", changed({ aud: [CLIENT_ID, "more"], azp: "more" })],
    ["with another nonce", "(nonce)", changed({ nonce: "another" })],
    ["without a nonce", "INVALID", changed({ nonce: undefined })],
    [
      "that has expired",
      "(exp)",
      (claims) => provider.sign({ ...claims, iat: epoch() - 7_200, exp: epoch() - 3_600 }),
    ],
    ["of another issuer", "(iss)", changed({ iss: "https://elsewhere.example" })],
    ["without a subject", "INVALID", changed({ sub: undefined })],
    ["that nobody signed", "INVALID", (claims) => `${part({ alg: "none" })}.${part(claims)}.`],
    [
      "signed by somebody else",
      "INVALID",
      async (claims) => signed(claims, (await generateKeyPair("RS256")).privateKey),
    ],
    [
      "signed with the client's secret",
      "INVALID",
      (claims) => signed(claims, new TextEncoder().encode(CLIENT_SECRET), { alg: "HS256" }),
    ],
    [
      "that was changed afterwards",
      "INVALID",
      (claims, token) => {
        const [header, , signature] = token.split(".");
        return `${header}.${part({ ...claims, sub: "subject-of-boss" })}.${signature}`;
      },
    ],
    ["that is none", "INVALID", () => "nonsense"],
  ])("%s signs nobody in", async (_, why, tamper) => {
    const jar = new CookieJar();
    const callback = await atCallback(jar, "subject-of-ada");
    provider.tamper = tamper;
    const answer = await jar.get(callback);
    const problem = (await answer.json()) as { code: string; data: { why: string } };
    expect([answer.status, problem.code]).toEqual([502, "identity/provider-refused"]);
    expect(problem.data.why).toContain(why);
    expect(jar.set.some((line) => line.startsWith("tributary-session="))).toBe(false);
  });
});
