import { ROLES as ALL_ROLES } from "@tributary/protocol";
import { expect, test } from "vitest";
import { administersAll } from "../src/data/session.ts";
import {
  browserWords,
  grantsWords,
  idleWords,
  ROLES,
  tokenEnds,
  tokenOwner,
} from "../src/model/access-words.ts";

test("roles are those of the protocol, told in words", () => {
  expect(ROLES).toEqual(ALL_ROLES);
  expect(grantsWords([])).toBe("nothing");
  const grants = [
    { role: "operator", model: "digits" },
    { role: "viewer", model: "*" },
  ] as const;
  expect(grantsWords(grants)).toBe("operator of digits, viewer of all models");
});

test.each([
  [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
    "Chrome on Linux",
  ],
  [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15",
    "Safari on macOS",
  ],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Safari/604.1", "Safari on iPhone"],
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"],
  ["curl/8.5.0", "curl/8.5.0"],
  ["", "a program"],
])("%s is %s", (agent, words) => {
  expect(browserWords(agent)).toBe(words);
});

test("a token is good for days, for ever, or not any more", () => {
  const now = Date.parse("2026-11-01T00:00:00Z");
  expect(tokenEnds({ expiresAt: null, session: null }, now)).toBe("until it is revoked");
  expect(tokenEnds({ expiresAt: "2026-11-01T12:00:00Z", session: null }, now)).toBe("for a day");
  expect(tokenEnds({ expiresAt: "2026-11-08T00:00:00Z", session: null }, now)).toBe("for 7 days");
  expect(tokenEnds({ expiresAt: "2026-11-08T00:00:01Z", session: null }, now)).toBe("for 7 days");
  expect(tokenEnds({ expiresAt: "2026-10-31T00:00:00Z", session: null }, now)).toBe("has ended");
  const session = { id: "0123456789ab", name: "dora" };
  expect(tokenEnds({ expiresAt: "2026-11-01T12:00:00Z", session }, now)).toMatch(
    /^until .*2026.*, with its browser's session$/,
  );
  expect(tokenEnds({ expiresAt: "2026-10-31T00:00:00Z", session }, now)).toBe("has ended");
});

test("a token is of an account, of whoever the identity provider knows, or of the coordinator", () => {
  const session = { id: "0123456789ab", name: "dora" };
  expect(tokenOwner({ account: "ada", session: null })).toBe("ada");
  expect(tokenOwner({ account: null, session })).toBe("dora, by the identity provider");
  expect(tokenOwner({ account: null, session: null })).toBe("the coordinator");
});

test("how long a session lasts without use", () => {
  const hour = 3_600_000;
  expect([8 * hour, hour, 1.5 * hour, hour / 60, 10].map(idleWords)).toEqual([
    "8 hours",
    "1 hour",
    "90 minutes",
    "1 minute",
    "1 minute",
  ]);
});

test("an admin of one model does not give access", () => {
  const of = (model: string) =>
    administersAll({
      principal: { kind: "account", name: "ada", account: "ada", grants: [{ model, role: "admin" }] },
      csrfToken: null,
      expiresAt: null,
      idleMs: null,
      signIn: { password: true, identityProvider: null, setup: false },
    });
  expect([of("*"), of("digits")]).toEqual([true, false]);
});
