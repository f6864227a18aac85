import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isGiven, matchesPattern } from "../src/path-pattern.ts";

describe("PATHPATTERN (spec 4.5)", () => {
  test.each([
    ["targets/*.tgz", "targets/foo.tgz", true],
    ["targets/*.tgz", "targets/foo.txt", false],
    ["targets/*.tgz", "targets/old/foo.tgz", false],
    ["foo-version-?.tgz", "foo-version-a.tgz", true],
    ["foo-version-?.tgz", "foo-version-alpha.tgz", false],
    ["*", "foo.tgz", true],
    ["*", "targets/foo.tgz", false],
    ["*/*", "a/b", true],
    ["a/*", "a/", true],
    ["a?", "a", false],
    ["*a*b", "xaxxab", true],
    ["*a*b", "xaxxa", false],
    ["[ab]*", "a1", false],
    ["[ab]*", "[ab]1", true],
    ["?", "𝄞", true],
    ["", "", true],
    ["", "a", false],
  ])("%s and %s: %s", (pattern, path, expected) => {
    expect(matchesPattern(pattern, path)).toBe(expected);
  });

  test("is the regular expression that it stands for", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "/", "*", "?", "."), maxLength: 12 });
    const source: Readonly<Record<string, string>> = { ".": "\\.", "*": "[^/]*", "?": "[^/]" };
    fc.assert(
      fc.property(letters, letters, (pattern, text) => {
        const path = text.replaceAll(/[*?]/g, "a");
        const expression = pattern.replaceAll(/[.*?]/g, (letter) => source[letter]!);
        expect(matchesPattern(pattern, path)).toBe(new RegExp(`^${expression}$`, "u").test(path));
      }),
      { numRuns: 2_000, seed: 7 },
    );
  });

  test("what an attacker writes takes time in proportion to pattern and path", () => {
    const pattern = "*a".repeat(400);
    expect(matchesPattern(`${pattern}b`, "a".repeat(1_000))).toBe(false);
    expect(matchesPattern(pattern, "a".repeat(1_000))).toBe(true);
  });
});

test("PATH_HEX_DIGEST: the hash of the path begins so", async () => {
  // SHA-256 of "a": ca978112...
  const given = (...prefixes: string[]) => isGiven({ paths: { kind: "hash-prefixes", prefixes } }, "a");
  expect(await given("ca")).toBe(true);
  expect(await given("00", "ca9")).toBe(true);
  expect(await given("cb", "0ca")).toBe(false);
  expect(await given()).toBe(false);
});
