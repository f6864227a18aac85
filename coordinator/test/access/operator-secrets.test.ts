import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApiTokenCreated, SessionView } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { CALLBACK_PATH } from "../../src/access/oidc/oidc-routes.ts";
import { asOperator, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";
import { CookieJar } from "./cookie-jar.ts";
import { CLIENT_ID, CLIENT_SECRET, openIdProvider, type OpenIdProvider } from "./openid-provider.ts";

// Every way in is gone once, rightly and wrongly, while the log is at its most talkative. What whoever reads the log, the audit log or a
// copy of the database finds must let nobody in.

let logged = "";
let provider: OpenIdProvider;
let coordinator: RunningCoordinator;
beforeAll(async () => {
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    logged += String(chunk);
    return true;
  });
  provider = await openIdProvider();
  coordinator = await runningCoordinator({
    logLevel: "debug",
    logFormat: "json",
    trustedProxies: ["127.0.0.1"],
    env: { passwordCost: { logN: 4, r: 8, p: 1 } },
    oidc: {
      issuer: provider.issuer,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      grants: ["groups=readers:viewer"],
    },
  });
  provider.open(coordinator.url + CALLBACK_PATH, { ada: { groups: ["readers"] }, eve: { groups: [] } });
});
afterAll(async () => {
  await coordinator?.end();
  await provider?.close();
  vi.restoreAllMocks();
});

test("no password, cookie, token, setup code, or anything of an identity provider is logged or stored as it is", async () => {
  const secrets = new Map<string, string>([
    ["the token of the data directory", coordinator.operatorToken],
    ["the client's secret", CLIENT_SECRET],
  ]);
  const keep = (name: string, secret: string): string => {
    expect(secret.length, name).toBeGreaterThan(8);
    secrets.set(`${name} (${secrets.size})`, secret);
    return secret;
  };
  const { url } = coordinator;
  const cookiesOf = (jar: CookieJar, name: string): void => {
    for (const [cookie, value] of jar.of(url)) keep(`${name}: ${cookie}`, value);
  };
  const send = async (jar: CookieJar, method: string, path: string, body: object, csrf?: string) =>
    jar.send(url + path, {
      method,
      headers: {
        "content-type": "application/json",
        ...(csrf === undefined ? {} : { "tributary-csrf": csrf }),
      },
      body: JSON.stringify(body),
    });

  // The setup link, wrongly and rightly.
  const browser = new CookieJar();
  const code = keep(
    "the setup code",
    new URLSearchParams(new URL(coordinator.setupUrl!).hash.slice(1)).get("code")!,
  );
  const wrongCode = keep("a wrong setup code", `wrong-${code.slice(6)}`);
  const password = keep("a password", "correct horse battery");
  await send(browser, "POST", "/v1/setup", { code: wrongCode, name: "ada", password });
  const view = (await (
    await send(browser, "POST", "/v1/setup", { code, name: "ada", password })
  ).json()) as SessionView;
  const csrf = keep("the header of a session", view.csrfToken!);
  cookiesOf(browser, "of the setup");

  // Accounts, with passwords that are wrong, too weak, and changed.
  await send(browser, "POST", "/v1/session", {
    name: "ada",
    password: keep("a wrong password", "wrong horse battery"),
  });
  const weak = {
    name: "ben",
    password: keep("a weak password", "aaaaaaaaaaaaa"),
    grants: [{ model: "*", role: "viewer" }],
  };
  await send(browser, "POST", "/v1/operators", weak, csrf);
  await send(
    browser,
    "POST",
    "/v1/operators",
    { ...weak, password: keep("another's", "a battery of horses") },
    csrf,
  );
  await send(
    browser,
    "PUT",
    "/v1/operators/ben/password",
    { password: keep("one that was set", "horses, and horses") },
    csrf,
  );
  await send(
    browser,
    "POST",
    "/v1/models/digits/release",
    { version: 1 },
    keep("a wrong header", "wrong-csrf-header"),
  );
  const next = keep("a new password", "another battery of horses");
  const changed = await send(
    browser,
    "PUT",
    "/v1/session/password",
    { current: password, password: next },
    csrf,
  );
  const { csrfToken } = (await changed.json()) as SessionView;
  cookiesOf(browser, "of the change");
  await browser.get(`${url}/v1/models`, {
    cookie: `tributary-session=${keep("a wrong cookie", "wrong-cookie-of-nobody")}`,
  });

  // Tokens, good, made up and revoked.
  const wanted = { label: "nightly", grants: [{ model: "*", role: "viewer" }] };
  const made = await send(browser, "POST", "/v1/api-tokens", wanted, keep("the next header", csrfToken!));
  const { token, view: of } = (await made.json()) as ApiTokenCreated;
  keep("a token's secret", token.split("_").at(-1)!);
  const madeUp = keep("a token that is none", `tributary_op_${of.id}_${"5e".repeat(32)}`);
  for (const each of [token, madeUp]) await new CookieJar().get(`${url}/v1/models`, { ...asOperator(each) });
  await send(browser, "DELETE", `/v1/api-tokens/${of.id}`, {}, csrfToken!);

  // A command line's code: with another verifier, with its own, used, and made up.
  for (const isRight of [false, true]) {
    const verifier = keep("a verifier", randomBytes(32).toString("base64url"));
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    const asked = { challenge, machine: "laptop", grants: wanted.grants };
    const allowed = await send(browser, "POST", "/v1/login-codes", asked, csrfToken!);
    const { code: given } = (await allowed.json()) as { code: string };
    keep("the code of a command line", given);
    const other = keep("another verifier", randomBytes(32).toString("base64url"));
    for (const body of [
      { code: given, verifier: isRight ? verifier : other },
      { code: given, verifier },
      { code: keep("a code that is none", `made-up-${given.slice(8)}`), verifier },
    ]) {
      const answer = await send(new CookieJar(), "POST", "/v1/login-codes/token", body);
      if (answer.status === 201)
        keep("the command line's token", ((await answer.json()) as ApiTokenCreated).token.split("_").at(-1)!);
    }
  }
  expect([...secrets.keys()].join()).toContain("the command line's token");

  // The identity provider: let in, known to no rule, refused, and with answers that are none.
  let idTokens = 0;
  provider.tamper = (_, idToken) => {
    idTokens++;
    for (const part of idToken.split(".").slice(1)) keep(`an ID token's ${part.slice(-6)}`, part);
    return idTokens < 3 ? idToken : `${idToken}x`;
  };
  for (const person of ["ada", "eve", "ada", undefined]) {
    provider.person = person;
    const jar = new CookieJar();
    const callback = await jar.follow(`${url}/v1/session/oidc`, url + CALLBACK_PATH);
    cookiesOf(jar, `on the way of ${person}`);
    for (const parameter of ["code", "state"])
      if (callback.searchParams.has(parameter))
        keep(`the ${parameter} of ${person}`, callback.searchParams.get(parameter)!);
    await jar.get(callback, { accept: "text/html" });
    cookiesOf(jar, `of ${person}`);
    // And once more, by somebody else.
    await new CookieJar().get(callback);
  }
  expect(idTokens).toBe(3);
  await send(browser, "DELETE", "/v1/session", {}, csrfToken!);

  // It did log what happened.
  for (const word of [
    "identity/invalid-setup-code",
    "identity/sign-in-failed",
    "identity/weak-password",
    "identity/csrf",
    "identity/invalid-login-code",
    "identity/not-authorized",
    "identity/no-role",
    "identity/provider-refused",
    "identity/sign-in-expired",
    "access refused",
    "request answered",
  ])
    expect(logged).toContain(word);
  const foundIn = (text: string): string[] =>
    [...secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => name);
  expect(foundIn(logged)).toEqual([]);
  const audit = await (await coordinator.request("/v1/audit/records")).text();
  expect(audit).toContain("session.begin");
  expect(foundIn(audit)).toEqual([]);
  const files = (await readdir(coordinator.dataDir)).filter((name) => name.startsWith("tributary.db"));
  expect(files).toContain("tributary.db");
  for (const file of files)
    expect(foundIn(await readFile(join(coordinator.dataDir, file), "latin1"))).toEqual([]);
});
