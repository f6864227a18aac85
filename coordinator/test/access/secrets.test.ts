import { systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { checkPassword, createPasswords } from "../../src/access/passwords.ts";
import { ownCookie } from "../../src/access/session-cookie.ts";
import { createSessions } from "../../src/access/sessions.ts";
import { createSetupLink, SETUP_LINK_MS } from "../../src/access/setup-link.ts";
import { createSignInLimits } from "../../src/access/sign-in-limits.ts";
import type { MetadataStore } from "../../src/ports/metadata-store.ts";
import { codeOf } from "../../src/testing/index.ts";

const CHEAP = { logN: 4, r: 8, p: 1 };
const SEEN = { address: "192.0.2.1", agent: "a browser" };
const clock = createVirtualClock();
let store: MetadataStore;
beforeAll(async () => {
  store = await openSqlMetadataStore({ path: ":memory:" });
});
afterAll(() => store.close());

describe("passwords", () => {
  test("are stored with their parameters and a salt, and compared whatever the parameters now are", async () => {
    const cheap = createPasswords(systemRandom, CHEAP);
    const stored = await cheap.hash("correct horse battery");
    expect(stored).toMatch(/^\$scrypt\$ln=4,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(await cheap.hash("correct horse battery")).not.toBe(stored);
    const later = createPasswords(systemRandom, { ...CHEAP, logN: 5 });
    expect(await later.verify("correct horse battery", stored)).toBe(true);
    expect(await later.verify("correct horse batterx", stored)).toBe(false);
    expect(await later.verify("correct horse battery", undefined)).toBe(false);
    // The same letters, typed in another way.
    expect(
      await cheap.verify("caf\u00e9 au lait s.v.p.", await cheap.hash("cafe\u0301 au lait s.v.p.")),
    ).toBe(true);
    expect(await codeOf(cheap.verify("x", stored.replace("ln=4", "ln=40")))).toBe("store/corrupt");
  });

  test.each([
    ["short", "11 letters.", "expected 12 to 256"],
    ["the name", "i am ada lovelace", "account's name"],
    ["one letter", "aaaaaaaaaaaaaaaa", "the same few characters"],
  ])("%s is refused", (_, password, problem) => {
    expect(() => checkPassword(password, "ada")).toThrow(problem);
  });
});

test("a session that an identity provider vouched for ends sooner, and with the rules that gave it its roles", async () => {
  const vouched = { issuer: "https://login.example.org", subject: "1", rules: "first" };
  const under = (rules: string | undefined) =>
    createSessions({
      store: () => store,
      clock,
      random: systemRandom,
      idleMs: 1_000_000,
      lifetimeMs: 2_500_000,
      provider: { rules, lifetimeMs: 500_000 },
    });
  const begun = await under("first").begin({ name: "ada", grants: [], vouched }, SEEN);
  expect(begun.session.expiresAt - begun.session.createdAt).toBe(500_000);
  expect(await under("first").find(begun.cookie, SEEN)).toMatchObject({ vouched });
  for (const rules of ["second", undefined]) {
    expect(await under(rules).find(begun.cookie, SEEN)).toBeUndefined();
    expect(await under(rules).list()).toEqual([]);
  }
  clock.advance(500_000);
  expect(await under("first").find(begun.cookie, SEEN)).toBeUndefined();
});

test("a session ends when it is not used, and in any case after its time", async () => {
  const sessions = createSessions({
    store: () => store,
    clock,
    random: systemRandom,
    idleMs: 1_000_000,
    lifetimeMs: 2_500_000,
  });
  const idle = await sessions.begin({ name: "ada", grants: null }, SEEN);
  const used = await sessions.begin({ name: "ada", grants: null }, SEEN);
  for (let i = 0; i < 2; i++) {
    clock.advance(999_000);
    expect(await sessions.find(used.cookie, SEEN)).toMatchObject({ id: used.session.id });
  }
  expect(await sessions.find(idle.cookie, SEEN)).toBeUndefined();
  expect(await sessions.list("ada")).toHaveLength(1);
  clock.advance(600_000);
  expect(await sessions.find(used.cookie, SEEN)).toBeUndefined();
  // Neither cookie is in the store.
  expect(JSON.stringify(await store.sessions.list())).not.toContain(used.cookie);
});

test("a setup link is good for a day, and the next start has another", async () => {
  const setup = createSetupLink({ store: () => store, clock, random: systemRandom });
  const first = (await setup.issue())!;
  const second = (await setup.issue())!;
  const use = (code: string) => codeOf(store.transaction((tx) => setup.use(tx, code)));
  expect(await use(first)).toBe("identity/invalid-setup-code");
  clock.advance(SETUP_LINK_MS);
  expect(await use(second)).toBe("identity/invalid-setup-code");
  expect(await setup.isOpen()).toBe(false);
  await store.transaction(async (tx) => setup.use(tx, (await setup.issue())!)).catch(() => undefined);
  const third = (await setup.issue())!;
  await store.transaction((tx) => setup.use(tx, third));
  expect(await use(third)).toBe("identity/invalid-setup-code");
});

test("cookies are bound to their host under TLS", () => {
  const plain = ownCookie("tributary-session", { secure: false });
  const secure = ownCookie("tributary-session", { secure: true });
  expect(secure.set("x", 60_000)).toBe(
    "__Host-tributary-session=x; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Strict",
  );
  expect(secure.read("tributary-session=planted; __Host-tributary-session=own")).toBe("own");
  expect(plain.read("__Host-tributary-session=other")).toBeUndefined();
});

test("attempts are bounded by account and by network, and a right one gives the account its own back", () => {
  const limits = createSignInLimits(clock);
  const attempts = (name: string, address: string, count: number): number => {
    let passed = 0;
    for (let i = 0; i < count; i++) {
      try {
        limits.attempt(name, address);
        passed += 1;
      } catch {
        break;
      }
    }
    return passed;
  };
  expect(attempts("ada", "2001:db8:0:1::1", 20)).toBe(10);
  expect(attempts("ada", "192.0.2.7", 20)).toBe(0);
  expect(attempts("ben", "2001:db8:0:1:ffff::2", 20)).toBe(10);
  // 21 of that network's 30 are gone, the refused one included.
  expect(attempts("cyd", "2001:db8:0:1::3", 20)).toBe(8);
  expect(attempts("dan", "2001:db8:0:2::3", 20)).toBe(10);
  const isNoGuess = limits.attempt("eve", "198.51.100.1");
  isNoGuess();
  expect(attempts("eve", "198.51.100.1", 20)).toBe(10);
});
