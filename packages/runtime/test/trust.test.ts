import type { IssuerDocument, SecurePlan } from "@tributary/protocol";
import { DEFAULT_MINIMUM_COHORT, LEAST_COHORT } from "@tributary/secagg";
import { describe, expect, test } from "vitest";
import { requireIssuer } from "../src/participation/require-issuer.ts";
import { TRUST_DEFAULTS, trustLimits } from "../src/trust-limits.ts";

const root = new Uint8Array(1);

test("a device insists on sixteen and two, unless its app says otherwise", () => {
  expect(TRUST_DEFAULTS).toEqual({
    minimumCohort: DEFAULT_MINIMUM_COHORT,
    maxContributionsPerVersion: 2,
    minimumSeparationMs: 0,
    requireSecureAggregation: false,
  });
  expect(trustLimits("first-use")).toEqual(TRUST_DEFAULTS);
  expect(trustLimits({ root })).toEqual(TRUST_DEFAULTS);
  expect(trustLimits({ root, minimumCohort: LEAST_COHORT })).toMatchObject({ minimumCohort: 3 });
});

test.each([
  { minimumCohort: LEAST_COHORT - 1 },
  { minimumCohort: 16.5 },
  { minimumCohort: Number.NaN },
  { maxContributionsPerVersion: 0 },
])("%o limits nothing", (limits) => {
  expect(() => trustLimits({ root, ...limits })).toThrow(RangeError);
});

describe("the issuer that an app pins", () => {
  const key = "ab".repeat(32);
  const plan = (issuerPublicKey: string) => ({ issuerPublicKey }) as SecurePlan;
  const release = (publicKey: string): IssuerDocument => ({ formatVersion: 1, publicKey, name: "issuer" });
  const codeOf = (run: () => void): unknown => {
    try {
      return run();
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };

  test("may be written as hex or as in a JWK, and is the only one whose members are trusted", () => {
    const x = Buffer.from(key, "hex").toString("base64url");
    for (const issuer of [key, x]) {
      const limits = trustLimits({ root, issuer });
      expect(codeOf(() => requireIssuer(limits, plan(key), release(key)))).toBeUndefined();
      const other = "cd".repeat(32);
      expect(codeOf(() => requireIssuer(limits, plan(other), release(other)))).toBe(
        "federation/plan-refused",
      );
    }
    for (const issuer of ["", "ab", key.toUpperCase(), `${x.slice(0, -1)}B`]) {
      expect(() => trustLimits({ root, issuer })).toThrow(RangeError);
    }
  });

  test("is nobody in particular where none is pinned: the release says who, and plans have to agree", () => {
    for (const trust of [{ root }, "first-use"] as const) {
      const limits = trustLimits(trust);
      expect(codeOf(() => requireIssuer(limits, plan(key), release(key)))).toBeUndefined();
      expect(codeOf(() => requireIssuer(limits, plan(key), release("cd".repeat(32))))).toBe(
        "federation/plan-refused",
      );
    }
  });
});
