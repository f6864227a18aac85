import { createInsecureTestRandom } from "@tributary/core/testing";
import { describe, expect, test } from "vitest";
import {
  addSignatures,
  canonicalJson,
  createTargetVerifier,
  createVerifier,
  detectEd25519,
  ed25519PublicKey,
  generateP256Key,
  generateTufKey,
  importP256Key,
  importTufKey,
  keyIdOf,
  mergeSignatures,
  nobleEd25519,
  parseMetadata,
  signingKeyIds,
  signRoot,
  signTargets,
  unsignedTargets,
  verifyTarget,
} from "../src/index.ts";
import {
  DAY_MS,
  newKeys,
  newSigner,
  readJson,
  Repository,
  roleKeys,
  START_MS,
  targetOf,
} from "./repository.ts";

describe("keys", () => {
  test("an exported key comes back the same, in WebCrypto and in noble", async () => {
    const { signer, exported } = await generateTufKey();
    expect(exported.length).toBe(48);
    expect(signer.keyId).toMatch(/^[0-9a-f]{64}$/);
    const message = new TextEncoder().encode("message");
    for (const ed25519 of [await detectEd25519(), await nobleEd25519()]) {
      const again = await importTufKey(exported, { ed25519 });
      expect(again.keyId).toBe(signer.keyId);
      expect(again.publicKey).toEqual(signer.publicKey);
      expect(await again.sign(message)).toEqual(await signer.sign(message));
    }
  });

  test("WebCrypto reads the export as PKCS #8", async () => {
    const { signer, exported } = await generateTufKey();
    const key = await crypto.subtle.importKey("pkcs8", exported, "Ed25519", true, ["sign"]);
    expect(new Uint8Array(await crypto.subtle.exportKey("pkcs8", key))).toEqual(exported);
    const message = Uint8Array.of(1, 2, 3);
    expect(new Uint8Array(await crypto.subtle.sign("Ed25519", key, message))).toEqual(
      await signer.sign(message),
    );
  });

  test("the seed comes from the given randomness", async () => {
    const [a, b] = [createInsecureTestRandom("seed"), createInsecureTestRandom("seed")];
    expect((await generateTufKey({ random: a })).exported).toEqual(
      (await generateTufKey({ random: b })).exported,
    );
  });

  test("anything but such an export is tuf/invalid-key", async () => {
    const { exported } = await generateTufKey();
    const wrong = exported.slice();
    wrong[12] = 0x71;
    for (const bytes of [new Uint8Array(0), exported.slice(0, 47), new Uint8Array(49), wrong]) {
      await expect(importTufKey(bytes)).rejects.toMatchObject({ code: "tuf/invalid-key" });
    }
  });

  test("the key id is the hash that python-tuf computes", async () => {
    const { keys } = readJson((await Repository.create()).root).signed as unknown as {
      keys: Record<string, { keyval: { public: string } }>;
    };
    for (const [keyId, key] of Object.entries(keys)) {
      const bytes = Uint8Array.from(key.keyval.public.match(/../g)!, (pair) => Number.parseInt(pair, 16));
      expect(keyIdOf(ed25519PublicKey(bytes))).toBe(keyId);
      expect(new TextDecoder().decode(canonicalJson(key))).toBe(
        `{"keytype":"ed25519","keyval":{"public":"${key.keyval.public}"},"scheme":"ed25519"}`,
      );
    }
  });
});

describe("ECDSA P-256 keys", () => {
  test("sign files that the verifier takes, over many signatures, and come back from their export", async () => {
    const { signer, exported } = await generateP256Key();
    const again = await importP256Key(exported);
    expect(again.key).toEqual(signer.key);
    expect(again.keyId).toBe(signer.keyId);
    const verify = await createVerifier();
    // Among so many r and s there are short ones, and ones with a leading bit.
    for (let n = 0; n < 300; n++) {
      const message = Uint8Array.of(n & 255, n >> 8);
      const signature = await again.sign(message);
      expect(await verify({ keyId: signer.keyId, ...signer.key }, signature, message)).toBe(true);
    }
    expect(
      await verify(
        { keyId: signer.keyId, ...signer.key },
        await again.sign(new Uint8Array(1)),
        new Uint8Array(2),
      ),
    ).toBe(false);
    await expect(importP256Key((await generateTufKey()).exported)).rejects.toMatchObject({
      code: "tuf/invalid-key",
    });
  });
});

describe("signatures from different places", () => {
  test("are added one after the other, or brought together; of another file they are refused", async () => {
    const [a, b] = [await newSigner(), (await generateP256Key()).signer];
    const unsigned = unsignedTargets({
      version: 3,
      expiresMs: START_MS + DAY_MS,
      targets: [targetOf('models/ü \u0001 " \u{1F600}.json', { a: [1, null] }), targetOf("__proto__")],
    });
    const [byA, byB] = [await addSignatures(unsigned, [a]), await addSignatures(unsigned, [b])];
    const both = mergeSignatures(byA, byB);
    expect(signingKeyIds(both)).toEqual([a.keyId, b.keyId]);
    const { signedBytes, signatures } = await parseMetadata("targets", both);
    const verify = await createVerifier();
    for (const [index, { keyId, key }] of [a, b].entries()) {
      const signature = Uint8Array.from(signatures[index]!.signature.match(/../g)!, (pair) =>
        Number.parseInt(pair, 16),
      );
      expect(await verify({ keyId, ...key }, signature, signedBytes)).toBe(true);
    }
    const other = unsignedTargets({ version: 4, expiresMs: START_MS + DAY_MS, targets: [] });
    expect(() => mergeSignatures(byA, other)).toThrow(
      expect.objectContaining({ code: "tuf/invalid-metadata" }),
    );
  });
});

describe("signRoot", () => {
  test("refuses a threshold that its keys or its signers do not reach", async () => {
    const keys = await newKeys();
    const options = { version: 1, expiresMs: START_MS + DAY_MS, signers: keys.root };
    await expect(signRoot({ ...options, keysByRole: roleKeys(keys, { targets: 2 }) })).rejects.toThrow(
      RangeError,
    );
    await expect(signRoot({ ...options, keysByRole: roleKeys(keys, { root: 0 }) })).rejects.toThrow(
      RangeError,
    );
    keys.root.push(await newSigner());
    await expect(
      signRoot({ ...options, keysByRole: roleKeys(keys, { root: 2 }), signers: keys.root.slice(1) }),
    ).rejects.toMatchObject({ code: "tuf/threshold-not-met" });
    const twice = {
      ...roleKeys(keys),
      root: { keys: [keys.root[0]!.key, keys.root[0]!.key], threshold: 2 },
    };
    await expect(signRoot({ ...options, keysByRole: twice })).rejects.toThrow(RangeError);
  });

  test("refuses a rotation that clients would refuse", async () => {
    const repository = await Repository.create();
    const keys = await newKeys();
    const options = { expiresMs: START_MS + DAY_MS, keysByRole: roleKeys(keys), signers: keys.root };
    await expect(signRoot({ ...options, version: 2 })).rejects.toThrow(TypeError);
    const previous = repository.root;
    await expect(signRoot({ ...options, version: 2, previous })).rejects.toMatchObject({
      code: "tuf/threshold-not-met",
    });
    const signers = [...keys.root, ...repository.keys.root];
    await expect(signRoot({ ...options, version: 3, previous, signers })).rejects.toMatchObject({
      code: "tuf/wrong-version",
    });
    await signRoot({ ...options, version: 2, previous, signers });
  });
});

describe("signed files", () => {
  test("are deterministic, round-trip any target path and custom value, and drop parts of a second", async () => {
    const signers = [await newSigner()];
    const targets = [
      targetOf('models/ü \u0001 " \\ \u{1F600}.json', { a: ["\n", 1, null, true], __proto__: null }),
      targetOf("__proto__", { nested: { deep: [] } }),
    ];
    const options = { version: 3, expiresMs: START_MS + 1_999, targets, signers };
    const bytes = await signTargets(options);
    expect(await signTargets(options)).toEqual(bytes);
    const file = await parseMetadata("targets", bytes);
    expect([...file.signed.targets.values()]).toEqual(targets);
    expect(file.signed.expiresMs).toBe(START_MS + 1_000);
    const key = { keyId: "", keyType: "ed25519", scheme: "ed25519", public: "" };
    const verify = await createVerifier();
    const publicHex = Array.from(signers[0]!.publicKey, (byte) => byte.toString(16).padStart(2, "0")).join(
      "",
    );
    const signature = Uint8Array.from(file.signatures[0]!.signature.match(/../g)!, (pair) =>
      Number.parseInt(pair, 16),
    );
    expect(await verify({ ...key, public: publicHex }, signature, file.signedBytes)).toBe(true);
    expect(await verify({ ...key, scheme: "ed448", public: publicHex }, signature, file.signedBytes)).toBe(
      false,
    );
  });

  test("one path twice, version 0 and no signer are mistakes of the caller", async () => {
    const signers = [await newSigner()];
    const options = { version: 1, expiresMs: START_MS, targets: [targetOf("a")], signers };
    await expect(async () =>
      signTargets({ ...options, targets: [targetOf("a"), targetOf("a")] }),
    ).rejects.toThrow(RangeError);
    await expect(async () => signTargets({ ...options, version: 0 })).rejects.toThrow(RangeError);
    await expect(async () => signTargets({ ...options, signers: [] })).rejects.toThrow(RangeError);
  });
});

describe("5.7.3 targets", () => {
  const file = targetOf("hello");
  const good = new TextEncoder().encode("hello");

  test("whole bytes: length and hash", () => {
    verifyTarget(file, good);
    for (const bytes of [new Uint8Array(0), new Uint8Array(5), new Uint8Array(6)]) {
      expect(() => verifyTarget(file, bytes)).toThrow(
        expect.objectContaining({ code: "tuf/target-mismatch" }),
      );
    }
  });

  test("in chunks: the same, and too much is noticed at once", () => {
    const chunks = createTargetVerifier(file);
    for (const byte of good) chunks.update(Uint8Array.of(byte));
    chunks.finish();
    const short = createTargetVerifier(file);
    short.update(good.subarray(0, 4));
    expect(() => short.finish()).toThrow(expect.objectContaining({ code: "tuf/target-mismatch" }));
    const long = createTargetVerifier(file);
    long.update(good);
    expect(() => long.update(Uint8Array.of(0))).toThrow(
      expect.objectContaining({ code: "tuf/target-mismatch" }),
    );
    const other = createTargetVerifier(file);
    other.update(new Uint8Array(5));
    expect(() => other.finish()).toThrow(expect.objectContaining({ code: "tuf/target-mismatch" }));
  });
});
