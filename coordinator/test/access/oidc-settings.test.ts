import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { Command } from "commander";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { grantsOfClaims, nameOfClaims, parseGrantRule } from "../../src/access/oidc/grant-rules.ts";
import { createIdentityProvider } from "../../src/access/oidc/identity-provider.ts";
import { checkOidc, isSafeUrl } from "../../src/access/oidc/oidc-config.ts";
import { addOidcOptions, oidcOf, type OidcOptions } from "../../src/access/oidc/oidc-options.ts";
import { beginSignIn, pathOf, PENDING_MS, pendingSignIn } from "../../src/access/oidc/pending-sign-in.ts";
import { codeOf } from "../../src/testing/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const GOOD = {
  issuer: "https://login.example.org/realms/ml",
  clientId: "tributary",
  grants: ["groups=ml:viewer"],
};

describe("what a provider is configured by", () => {
  test("has defaults, and says which field is wrong", () => {
    expect(checkOidc(GOOD)).toMatchObject({
      name: "login.example.org",
      scopes: ["openid", "profile", "email"],
    });
    for (const [field, change] of [
      ["issuer", { issuer: "http://login.example.org" }],
      ["issuer", { issuer: "http://127.0.0.1.example.org" }],
      ["issuer", { issuer: "https://login.example.org/?x=1" }],
      ["issuer", { issuer: "login.example.org" }],
      ["clientId", { clientId: "" }],
      ["clientSecret", { clientSecret: "" }],
      ["grants", { grants: [] }],
      ["grants", { grants: ["groups=ml:king"] }],
      ["scopes", { scopes: ["profile"] }],
      ["scopes", { scopes: ["openid", "two words"] }],
      ["name", { name: "" }],
    ] as const)
      expect(() => checkOidc({ ...GOOD, ...change })).toThrow(`oidc.${field}`);
  });

  test.each([
    "http://127.0.0.1:8080",
    "http://[::1]:8080",
    "http://localhost:8080",
    "https://login.example.org",
  ])("%s may be asked", (url) => {
    expect(isSafeUrl(new URL(url))).toBe(true);
  });
  test.each([
    "http://10.0.0.1",
    "http://127.example.org",
    "http://localhost.example.org",
    "ftp://127.0.0.1",
    "javascript:1",
  ])("%s may not", (url) => {
    expect(isSafeUrl(new URL(url))).toBe(false);
  });
});

describe("the options of a command", () => {
  const parsed = (...args: string[]): OidcOptions =>
    addOidcOptions(new Command()).exitOverride().parse(args, { from: "user" }).opts();
  const ISSUER = ["--oidc-issuer", "https://login.example.org", "--oidc-client-id", "tributary"];
  const RULE = ["--oidc-grant", "groups=ml:viewer"];

  test("come to a provider, with the secret of a file or of the environment", async () => {
    expect(await oidcOf(parsed(), {})).toEqual({});
    const folder = await temporaryFolder();
    const file = join(folder.path, "secret");
    await writeFile(file, "of the file\n");
    const options = [
      ...ISSUER,
      ...RULE,
      "--oidc-scope",
      "groups",
      "--oidc-name",
      "Example",
      "--oidc-sign-out",
    ];
    const { oidc } = await oidcOf(parsed(...options, "--oidc-secret-file", file), {});
    expect(oidc).toEqual({
      issuer: "https://login.example.org",
      clientId: "tributary",
      clientSecret: "of the file",
      grants: ["groups=ml:viewer"],
      name: "Example",
      scopes: ["openid", "profile", "email", "groups"],
      signOut: true,
    });
    const environment = {
      TRIBUTARY_OIDC_CLIENT_SECRET: "of the environment",
      TRIBUTARY_OIDC_GRANTS: "groups=a b:viewer\n  groups=c:admin@digits\n\n",
    };
    expect((await oidcOf(parsed(...ISSUER), environment)).oidc).toMatchObject({
      clientSecret: "of the environment",
      grants: ["groups=a b:viewer", "groups=c:admin@digits"],
    });
    await writeFile(file, "\n");
    for (const wrong of [
      RULE,
      [...ISSUER.slice(0, 2), ...RULE],
      ISSUER,
      [...ISSUER, ...RULE, "--oidc-secret-file", file],
      [...ISSUER, ...RULE, "--oidc-secret-file", join(folder.path, "none")],
    ])
      expect(await codeOf(oidcOf(parsed(...wrong), {}))).toBe("coordinator/invalid-config");
    await folder.remove();
  });
});

describe("a rule", () => {
  test.each([
    ["groups=ml:viewer", "groups", "ml", "*", "viewer"],
    ["groups=/ml/ops:operator@digits", "groups", "/ml/ops", "digits", "operator"],
    ["groups=urn:example:ml:admin", "groups", "urn:example:ml", "*", "admin"],
    ["email=ada@example.org:admin", "email", "ada@example.org", "*", "admin"],
    ["email=*@example.org:viewer@digits", "email", "*@example.org", "digits", "viewer"],
    ["realm_access.roles=a b=c:auditor", "realm_access.roles", "a b=c", "*", "auditor"],
  ])("%s is read", (text, claim, value, model, role) => {
    expect(parseGrantRule(text)).toEqual({ claim, value, grant: { model, role } });
  });

  test.each([
    "groups",
    "groups=ml",
    "groups=ml:",
    "groups=:viewer",
    "=ml:viewer",
    "groups=ml:viewer@No Model",
  ])("%s is none", (text) => {
    expect(() => parseGrantRule(text)).toThrow("oidc.grants");
  });

  test("fits a value, one of several, and one further down", () => {
    const rules = [
      "groups=ml:viewer@digits",
      "groups=ml:viewer@digits",
      "realm_access.roles=ops:operator",
      "https://example.org/roles=boss:admin",
      "vip=true:auditor",
    ].map(parseGrantRule);
    const given = (claims: object) =>
      grantsOfClaims(rules, { sub: "1", ...claims }).map(({ role, model }) => `${role}@${model}`);
    expect(given({ groups: ["a", "ml"] })).toEqual(["viewer@digits"]);
    expect(given({ groups: "ml" })).toEqual(["viewer@digits"]);
    expect(given({ groups: "ml ops" })).toEqual([]);
    expect(given({ groups: { ml: true } })).toEqual([]);
    expect(given({ realm_access: { roles: ["ops"] } })).toEqual(["operator@*"]);
    expect(given({ "https://example.org/roles": "boss", vip: true })).toEqual(["admin@*", "auditor@*"]);
    expect(given({})).toEqual([]);
  });

  test("of an address fits one that the provider checked", () => {
    const rules = ["email=*@example.org:viewer", "email=Ada@Example.org:admin"].map(parseGrantRule);
    const given = (email: unknown, email_verified: unknown = true) =>
      grantsOfClaims(rules, { sub: "1", email, email_verified }).map(({ role }) => role);
    expect(given("ada@example.org")).toEqual(["viewer", "admin"]);
    expect(given("BEN@EXAMPLE.ORG")).toEqual(["viewer"]);
    expect(given("ada@example.org", false)).toEqual([]);
    expect(given("ada@example.org", "true")).toEqual([]);
    expect(given("ada@example.org.evil.test")).toEqual([]);
    expect(given("@example.org")).toEqual([]);
    expect(given('"ada@example.org"@evil.test')).toEqual([]);
  });

  test("whatever the claims are, no more is given than a rule says, and there is a name", () => {
    const rules = [parseGrantRule("a.b=x:viewer")];
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (claims) => {
        const grants = grantsOfClaims(rules, { ...claims, sub: "1" });
        expect(grants.length).toBeLessThanOrEqual(1);
        const name = nameOfClaims({ ...claims, sub: "1" });
        expect(name).toMatch(/^[^\p{C}]{1,128}$/u);
      }),
    );
  });
});

describe("a sign-in on its way", () => {
  const clock = createVirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const env = { clock, random: systemRandom };

  test("follows from its cookie, for some minutes", () => {
    const begun = beginSignIn(env, "/models/digits?version=2");
    expect(pendingSignIn(begun.cookie, clock.now())).toEqual(begun);
    expect(begun.returnTo).toBe("/models/digits?version=2");
    expect(new Set([begun.state, begun.nonce, begun.codeVerifier, beginSignIn(env, "/").state]).size).toBe(4);
    expect(pendingSignIn(begun.cookie, clock.now() + PENDING_MS)).toBeUndefined();
    expect(pendingSignIn(begun.cookie, clock.now() - 1)).toBeUndefined();
  });

  test("leads back to a path of this site", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `/${text}`),
          fc.constantFrom("/.//x", "/\\x"),
        ),
        (asked) => {
          const path = pathOf(asked);
          expect(new URL(path, "https://fl.example.org").origin).toBe("https://fl.example.org");
          expect(path).toMatch(/^\/(?![/\\])/);
        },
      ),
    );
  });
});

describe("a provider that", () => {
  let server: Server;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  const asked: string[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url!);
      answer(request, response);
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  });
  afterAll(
    () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  );
  beforeEach(() => void asked.splice(0));

  const issuer = (): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const closedPort = async (): Promise<number> => {
    const closed = createServer();
    await new Promise<void>((done) => closed.listen(0, "127.0.0.1", done));
    const { port } = closed.address() as AddressInfo;
    await new Promise<void>((done) => closed.close(() => done()));
    return port;
  };
  const json = (body: object) => (_: unknown, response: ServerResponse) =>
    void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  const clock = createVirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const providerAt = (from: string) =>
    createIdentityProvider({ oidc: checkOidc({ ...GOOD, issuer: from }), clock, timeoutSeconds: 0.5 });
  const go = (from = issuer()) => {
    const provider = providerAt(from);
    const pending = beginSignIn({ clock, random: systemRandom }, "/");
    return provider.signInUrl(pending, new URL("http://127.0.0.1:1/back"));
  };
  const metadata = (change: object = {}) => ({
    issuer: issuer(),
    authorization_endpoint: `${issuer()}/auth`,
    token_endpoint: `${issuer()}/token`,
    jwks_uri: `${issuer()}/jwks`,
    ...change,
  });

  test("is not there, or not well, is unreachable", async () => {
    expect(await codeOf(go(`http://127.0.0.1:${await closedPort()}`))).toBe("identity/provider-unreachable");
    answer = (_, response) => void response.writeHead(503).end();
    expect(await codeOf(go())).toBe("identity/provider-unreachable");
    answer = () => undefined;
    expect(await codeOf(go())).toBe("identity/provider-unreachable");
  });

  test("answers with something else is refused, and asked again by the next one", async () => {
    answer = json(metadata({ issuer: "https://login.example.org" }));
    expect(await codeOf(go())).toBe("identity/provider-refused");
    answer = (_, response) => void response.writeHead(302, { location: `${issuer()}/elsewhere` }).end();
    expect(await codeOf(go())).toBe("identity/provider-refused");
    expect(asked).not.toContain("/elsewhere");
    answer = (_, response) => void response.writeHead(200, { "content-type": "text/html" }).end("<p>Hello");
    expect(await codeOf(go())).toBe("identity/provider-refused");
    answer = (_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const more = (): void => void response.write("x".repeat(65_536), () => !response.destroyed && more());
      more();
    };
    expect(await codeOf(go())).toBe("identity/provider-refused");
    answer = json(metadata());
    expect((await go()).href).toContain(`${issuer()}/auth?`);
  });

  test("sends browsers to an address without TLS is refused", async () => {
    for (const authorization_endpoint of ["http://login.example.org/auth", "javascript:alert(1)//"]) {
      answer = json(metadata({ authorization_endpoint }));
      expect(await codeOf(go())).toBe("identity/provider-refused");
    }
  });

  test("says where one signs out there is told who asks and where to come back, and no more", async () => {
    const out = () => providerAt(issuer()).signOutUrl(new URL("https://fl.example.org/"));
    answer = json(metadata({ end_session_endpoint: `${issuer()}/end?tenant=ml` }));
    const url = (await out())!;
    expect(url.origin + url.pathname).toBe(`${issuer()}/end`);
    expect(Object.fromEntries(url.searchParams)).toEqual({
      tenant: "ml",
      client_id: GOOD.clientId,
      post_logout_redirect_uri: "https://fl.example.org/",
    });
    answer = json(metadata());
    expect(await out()).toBeUndefined();
    for (const end_session_endpoint of ["http://login.example.org/end", "javascript:alert(1)//"]) {
      answer = json(metadata({ end_session_endpoint }));
      expect(await codeOf(out())).toBe("identity/provider-refused");
    }
  });
});
