import fc from "fast-check";
import { createSha256, encodeHex, sha256, sha256Bytes } from "@tributary/core";
import { describe, expect, test } from "vitest";
import { implementation as noble } from "../src/sha256/noble.ts";
import { implementation as node } from "../src/sha256/node.ts";

// FIPS 180-4 examples: one block, and two.
const KNOWN = [
  ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  [
    "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  ],
] as const;

describe.each([
  ["noble", noble],
  ["node", node],
])("%s", (_, sha256Of) => {
  test.each(KNOWN)("%s", (text, digest) => {
    expect(encodeHex(sha256Of.hash(new TextEncoder().encode(text)))).toBe(digest);
  });

  test("property: a stream gives what one call gives, however it is cut, in memory of its own", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 }), (parts) => {
        const whole = Uint8Array.from(parts.flatMap((part) => [...part]));
        const stream = sha256Of.create();
        for (const part of parts) stream.update(part);
        const digest = stream.digest();
        expect(digest).toEqual(noble.hash(whole));
        expect(sha256Of.hash(whole)).toEqual(digest);
        expect(digest.buffer.byteLength).toBe(32);
      }),
      { seed: 256 },
    );
  });
});

test("the package hashes", () => {
  const bytes = new TextEncoder().encode("abc");
  const stream = createSha256();
  stream.update(bytes);
  expect(sha256(bytes)).toBe(KNOWN[0][1]);
  expect(stream.digest()).toBe(KNOWN[0][1]);
  expect(encodeHex(sha256Bytes(bytes))).toBe(KNOWN[0][1]);
});
