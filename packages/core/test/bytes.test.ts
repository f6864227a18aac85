import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  asDeviceId,
  asDigest,
  asModelName,
  asModelVersion,
  asRoundId,
  concatBytes,
  copyBytes,
  createSha256,
  decodeBase64url,
  decodeHex,
  decodeUtf8,
  encodeBase64url,
  encodeHex,
  encodeUtf8,
  equalBytes,
  sha256,
} from "@tributary/core";

const anyBytes = fc.uint8Array({ maxLength: 100 });

describe("text forms of bytes", () => {
  test("hex and base64url agree with Node's", () => {
    fc.assert(
      fc.property(anyBytes, (raw) => {
        expect(encodeHex(raw)).toBe(Buffer.from(raw).toString("hex"));
        expect(encodeBase64url(raw)).toBe(Buffer.from(raw).toString("base64url"));
        expect(decodeHex(encodeHex(raw))).toEqual(new Uint8Array(raw));
        expect(decodeBase64url(encodeBase64url(raw))).toEqual(new Uint8Array(raw));
      }),
    );
  });

  test.each(["0", "0G", "AA", "zz"])("hex %j is refused", (text) => {
    expect(() => decodeHex(text)).toThrow(expect.objectContaining({ code: "core/invalid-encoding" }));
  });

  test.each(["A", "AB", "AA==", "A+AA", "AA A", "é"])("base64url %j is refused", (text) => {
    expect(() => decodeBase64url(text)).toThrow(expect.objectContaining({ code: "core/invalid-encoding" }));
  });

  test("UTF-8 is strict and keeps a byte order mark", () => {
    expect(decodeUtf8(encodeUtf8("\uFEFFa€"))).toBe("\uFEFFa€");
    expect(() => decodeUtf8(new Uint8Array([0xff]))).toThrow(
      expect.objectContaining({ code: "core/invalid-encoding" }),
    );
  });
});

test("concat, copy and compare", () => {
  expect(concatBytes(new Uint8Array([1]), new Uint8Array(), new Uint8Array([2, 3]))).toEqual(
    new Uint8Array([1, 2, 3]),
  );
  expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(true);
  expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(false);
  expect(equalBytes(new Uint8Array([1]), new Uint8Array([1, 2]))).toBe(false);
  const pooled = Buffer.from([1, 2, 3]);
  const copy = copyBytes(pooled, 1);
  pooled.fill(9);
  expect(copy).toEqual(new Uint8Array([2, 3]));
  expect(copy.buffer.byteLength).toBe(2);
});

describe("SHA-256", () => {
  test("agrees with Node's, whole and in chunks", () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 8 }), (chunks) => {
        const whole = concatBytes(...chunks);
        const hash = createSha256();
        for (const chunk of chunks) hash.update(chunk);
        const expected = createHash("sha256").update(whole).digest("hex");
        expect(sha256(whole)).toBe(expected);
        expect(hash.digest()).toBe(expected);
      }),
    );
  });

  test("counts lengths beyond 2^32 bits", () => {
    const megabyte = new Uint8Array(1 << 20).fill(0xa5);
    const hash = createSha256();
    const reference = createHash("sha256");
    for (let i = 0; i < 520; i++) {
      hash.update(megabyte);
      reference.update(megabyte);
    }
    expect(hash.digest()).toBe(reference.digest("hex"));
  }, 60_000);
});

describe("ids", () => {
  test("are checked and returned", () => {
    expect(asModelName("digits-2")).toBe("digits-2");
    expect(asModelVersion(3)).toBe(3);
    expect(asRoundId("digits-7")).toBe("digits-7");
    expect(asDigest("ab".repeat(32))).toHaveLength(64);
    expect(asDeviceId("0f".repeat(16))).toHaveLength(32);
  });

  test.each([
    ["model name with a slash", () => asModelName("a/b")],
    ["model name with a leading dash", () => asModelName("-a")],
    ["model name of 64", () => asModelName("a".repeat(64))],
    ["name with a newline", () => asModelName("a\n")],
    ["version 0", () => asModelVersion(0)],
    ["version as text", () => asModelVersion("1")],
    ["upper-case digest", () => asDigest("AB".repeat(32))],
    ["short device id", () => asDeviceId("0f")],
    ["empty round id", () => asRoundId("")],
  ])("%s is core/invalid-id", (_name, run) => {
    expect(run).toThrow(expect.objectContaining({ code: "core/invalid-id" }));
  });
});
