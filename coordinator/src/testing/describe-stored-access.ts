import { asModelName } from "@tributary/core";
import { describe, expect, test } from "vitest";
import type { AccountRecord, ApiTokenRecord, SessionRecord } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { codeOf } from "./code-of.ts";

/** Accounts, sessions and tokens of operators; part of the metadata store's suite. */
export function describeStoredAccess(opened: () => MetadataStore): void {
  describe("operators", () => {
    const account = (name: string, more: Partial<AccountRecord> = {}): AccountRecord => ({
      name,
      password: "$scrypt$ln=4,r=8,p=1$c2FsdA$aGFzaA",
      grants: [{ model: "*", role: "viewer" }],
      createdAt: 1,
      passwordChangedAt: 1,
      ...more,
    });
    const session = (id: string, more: Partial<SessionRecord> = {}): SessionRecord => ({
      id,
      digest: `digest of ${id}`,
      name: "ada",
      grants: null,
      vouched: null,
      createdAt: 10,
      seenAt: 10,
      expiresAt: 100,
      address: "127.0.0.1",
      agent: "a browser",
      ...more,
    });
    const token = (id: string, more: Partial<ApiTokenRecord> = {}): ApiTokenRecord => ({
      id,
      digest: `digest of ${id}`,
      label: "nightly",
      grants: [{ model: asModelName("digits"), role: "operator" }],
      account: "ada",
      session: null,
      createdAt: 10,
      expiresAt: null,
      usedAt: null,
      ...more,
    });

    test("accounts read back as they were made, and change; a name is taken once", async () => {
      const { accounts } = opened();
      await accounts.insert(account("ben"));
      await accounts.insert(account("ada"));
      expect(await codeOf(accounts.insert(account("ada")))).toBe("store/conflict");
      expect(await accounts.list()).toEqual([account("ada"), account("ben")]);
      expect(await accounts.count()).toBe(2);
      const grants = [{ model: asModelName("digits"), role: "admin" }] as const;
      await accounts.setGrants("ada", grants);
      await accounts.setPassword("ada", "another", 5);
      expect(await accounts.get("ada")).toEqual(
        account("ada", { grants, password: "another", passwordChangedAt: 5 }),
      );
      expect(await accounts.get("eve")).toBeUndefined();
      expect(await codeOf(accounts.setGrants("eve", []))).toBe("store/not-found");
      expect(await codeOf(accounts.setPassword("eve", "x", 1))).toBe("store/not-found");
    });

    test("another password ends an account's sessions, and with the account go its tokens too", async () => {
      const store = opened();
      const { accounts, sessions, apiTokens } = store;
      await accounts.insert(account("ada"));
      await accounts.insert(account("ben"));
      // Of the same name at an identity provider: somebody else.
      const elsewhere = session("elsewhere", { grants: [] });
      for (const each of [session("one"), session("bens", { name: "ben" }), elsewhere])
        await sessions.insert(each);
      await accounts.setPassword("ada", "another", 20);
      expect((await sessions.list()).map(({ id }) => id).toSorted()).toEqual(["bens", "elsewhere"]);
      await sessions.insert(session("two"));
      for (const each of [token("t1"), token("t2", { account: "ben" }), token("t3", { account: null })])
        await apiTokens.insert(each);
      expect(await accounts.remove("ada")).toBe(true);
      expect(await accounts.remove("ada")).toBe(false);
      expect((await sessions.list()).map(({ id }) => id).toSorted()).toEqual(["bens", "elsewhere"]);
      expect((await apiTokens.list()).map(({ id }) => id).toSorted()).toEqual(["t2", "t3"]);
    });

    test("sessions are found by their digest, seen again, ended, and forgotten when they are over", async () => {
      const { sessions } = opened();
      const grants = [{ model: "*", role: "auditor" }] as const;
      const vouched = { issuer: "https://login.example.org", subject: "248289761001", rules: "of rules" };
      await sessions.insert(session("one"));
      await sessions.insert(
        session("two", { name: "ben", grants, vouched, createdAt: 20, seenAt: 20, expiresAt: 200 }),
      );
      await sessions.insert(session("three", { seenAt: 90 }));
      expect(await sessions.byDigest("digest of two")).toMatchObject({ id: "two", grants, vouched });
      expect(await sessions.byDigest("digest of four")).toBeUndefined();
      expect(await sessions.get("two")).toMatchObject({ digest: "digest of two", vouched });
      expect(await sessions.get("four")).toBeUndefined();
      expect((await sessions.list("ada")).map(({ id }) => id)).toEqual(["one", "three"]);
      expect((await sessions.list()).map(({ id }) => id)).toEqual(["two", "one", "three"]);
      await sessions.touch("one", { seenAt: 50, address: "::1", agent: "another" });
      expect(await sessions.byDigest("digest of one")).toEqual(
        session("one", { seenAt: 50, address: "::1", agent: "another" }),
      );
      await sessions.prune(60, 20);
      expect((await sessions.list()).map(({ id }) => id)).toEqual(["one", "three"]);
      await sessions.prune(100, 0);
      expect(await sessions.list()).toEqual([]);
      expect(await sessions.remove("one")).toBe(false);
    });

    test("tokens of a session go with it, however it ends, and there is none of a session that is not there", async () => {
      const { accounts, sessions, apiTokens } = opened();
      const left = async () => (await apiTokens.list()).map(({ id }) => id);
      const of = (name: string) => token(`of ${name}`, { account: null, session: name });
      const grants = [{ model: "*", role: "viewer" }] as const;
      await accounts.insert(account("ada"));
      await sessions.insert(session("ended", { grants }));
      await sessions.insert(session("pruned", { grants, expiresAt: 50 }));
      // Of an account, so that another password ends it.
      await sessions.insert(session("shut out"));
      for (const name of ["ended", "pruned", "shut out"]) await apiTokens.insert(of(name));
      await apiTokens.insert(token("of nobody", { account: null }));
      expect(await apiTokens.get("of ended")).toEqual(of("ended"));
      expect(await codeOf(apiTokens.insert(of("nowhere")))).toBe("store/not-found");
      await sessions.remove("ended");
      expect((await left()).toSorted()).toEqual(["of nobody", "of pruned", "of shut out"]);
      await sessions.prune(60, 0);
      expect((await left()).toSorted()).toEqual(["of nobody", "of shut out"]);
      await accounts.setPassword("ada", "another", 20);
      expect(await left()).toEqual(["of nobody"]);
    });

    test("tokens read back, with when they were used last", async () => {
      const { apiTokens } = opened();
      await apiTokens.insert(token("t1"));
      await apiTokens.insert(token("t2", { createdAt: 20, expiresAt: 99, account: null }));
      expect(await codeOf(apiTokens.insert(token("t1")))).toBe("store/conflict");
      await apiTokens.touch("t1", 42);
      expect(await apiTokens.get("t1")).toEqual(token("t1", { usedAt: 42 }));
      expect((await apiTokens.list()).map(({ id }) => id)).toEqual(["t2", "t1"]);
      expect(await apiTokens.remove("t1")).toBe(true);
      expect(await apiTokens.remove("t1")).toBe(false);
      expect(await apiTokens.get("t1")).toBeUndefined();
    });
  });
}
