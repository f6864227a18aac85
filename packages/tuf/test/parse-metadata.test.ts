import { sha256 } from "@tributary/core";
import { describe, expect, test } from "vitest";
import {
  canonicalJson,
  METADATA_BOUNDS,
  parseMetadata,
  type JsonObject,
  type TufRole,
} from "../src/index.ts";
import { readJson, Repository, writeJson, type FileJson } from "./repository.ts";

const repository = await Repository.create();
const FILES: Record<TufRole, Uint8Array> = {
  root: repository.root,
  timestamp: repository.files.get("timestamp.json")!,
  snapshot: repository.files.get("1.snapshot.json")!,
  targets: repository.files.get("1.targets.json")!,
};
const KEY_ID = "ab".repeat(32);
const HASHES = { sha256: "00".repeat(32) };

/** A genuine file with some fields changed; undefined takes a field away. */
function changed(role: TufRole, changes: Record<string, unknown>): Uint8Array {
  const json = readJson(FILES[role]);
  return writeJson({ ...json, signed: { ...json.signed, ...changes } });
}

test("reads what the signer writes", async () => {
  for (const role of ["root", "timestamp", "snapshot", "targets"] as const) {
    const file = await parseMetadata(role, FILES[role]);
    expect(file.signed).toMatchObject({ role, version: 1 });
    expect(file.bytes).toBe(FILES[role]);
    expect(file.signatures).toHaveLength(1);
  }
});

test("spec 4: unknown fields are kept under the signature and otherwise ignored", async () => {
  const file = await parseMetadata("root", changed("root", { "x-custom": { a: 1 } }));
  expect(new TextDecoder().decode(file.signedBytes)).toContain('"x-custom":{"a":1}');
});

test("another major version of the spec is tuf/unsupported-version", async () => {
  for (const version of ["2.0.0", "0.9.0", "1", "1.x"]) {
    await expect(parseMetadata("timestamp", changed("timestamp", { spec_version: version }))).rejects.toThrow(
      expect.objectContaining({ code: "tuf/unsupported-version" }),
    );
  }
  for (const version of ["1.0", "1.0.31", "1.9.9"]) {
    await parseMetadata("timestamp", changed("timestamp", { spec_version: version }));
  }
});

const rootRoles = readJson(FILES.root).signed["roles"] as JsonObject;
const rootKeys = readJson(FILES.root).signed["keys"] as JsonObject;
const [anyKeyId, anyKey] = Object.entries(rootKeys)[0]!;

describe("malformed files are tuf/invalid-metadata", () => {
  const cases: [TufRole, string, Record<string, unknown>][] = [
    ["timestamp", "another role's type", { _type: "snapshot" }],
    ["timestamp", "no version", { version: undefined }],
    ["timestamp", "version 0", { version: 0 }],
    ["timestamp", "version as text", { version: "1" }],
    ["timestamp", "no expiry", { expires: undefined }],
    ["timestamp", "expiry with an offset", { expires: "2030-01-01T00:00:00+00:00" }],
    ["timestamp", "expiry with parts of a second", { expires: "2030-01-01T00:00:00.000Z" }],
    ["timestamp", "expiry on February 30", { expires: "2030-02-30T00:00:00Z" }],
    ["timestamp", "expiry at 24:00", { expires: "2030-01-01T24:00:00Z" }],
    ["timestamp", "no meta", { meta: undefined }],
    ["timestamp", "no snapshot", { meta: {} }],
    ["timestamp", "snapshot version 0", { meta: { "snapshot.json": { version: 0 } } }],
    ["timestamp", "length 0", { meta: { "snapshot.json": { version: 1, length: 0 } } }],
    [
      "timestamp",
      "hashes without sha256",
      { meta: { "snapshot.json": { version: 1, hashes: { md5: "00" } } } },
    ],
    ["snapshot", "no targets.json", { meta: { "other.json": { version: 1 } } }],
    ["snapshot", "meta as a list", { meta: [] }],
    ["targets", "targets as a list", { targets: [] }],
    ["targets", "an empty path", { targets: { "": { length: 0, hashes: HASHES } } }],
    ["targets", "a very long path", { targets: { ["p".repeat(1_025)]: { length: 0, hashes: HASHES } } }],
    ["targets", "a negative length", { targets: { a: { length: -1, hashes: HASHES } } }],
    ["targets", "no hashes", { targets: { a: { length: 1 } } }],
    ["targets", "a short hash", { targets: { a: { length: 1, hashes: { sha256: "00" } } } }],
    ["targets", "an uppercase hash", { targets: { a: { length: 1, hashes: { sha256: "AA".repeat(32) } } } }],
    ["targets", "delegations as a list", { delegations: [] }],
    ["root", "consistent_snapshot as text", { consistent_snapshot: "yes" }],
    ["root", "no keys", { keys: undefined }],
    ["root", "4.3 a keyid that is not its key's hash", { keys: { ...rootKeys, [KEY_ID]: anyKey } }],
    ["root", "a key without a value", { keys: { [anyKeyId]: { keytype: "ed25519", scheme: "ed25519" } } }],
    ["root", "no timestamp role", { roles: { ...rootRoles, timestamp: undefined } }],
    ["root", "threshold 0", { roles: { ...rootRoles, root: { keyids: [anyKeyId], threshold: 0 } } }],
    [
      "root",
      "the same keyid twice in a role",
      { roles: { ...rootRoles, root: { keyids: [anyKeyId, anyKeyId], threshold: 2 } } },
    ],
    ["root", "a keyid that is no hash", { roles: { ...rootRoles, root: { keyids: ["key"], threshold: 1 } } }],
  ];
  test.each(cases)("%s: %s", async (role, _name, changes) => {
    await expect(parseMetadata(role, changed(role, changes))).rejects.toThrow(
      expect.objectContaining({ code: "tuf/invalid-metadata" }),
    );
  });

  const envelopes: [string, (json: FileJson) => unknown][] = [
    ["no signatures", ({ signed }) => ({ signed })],
    ["signatures as an object", (json) => ({ ...json, signatures: {} })],
    ["no signed part", ({ signatures }) => ({ signatures })],
    [
      "4.2 one keyid signs twice",
      (json) => ({ ...json, signatures: [json.signatures[0], json.signatures[0]] }),
    ],
    [
      "a signature that is not hexadecimal",
      (json) => ({ ...json, signatures: [{ keyid: KEY_ID, sig: "zz" }] }),
    ],
    ["an odd number of digits", (json) => ({ ...json, signatures: [{ keyid: KEY_ID, sig: "abc" }] })],
    [
      "a gigantic signature",
      (json) => ({ ...json, signatures: [{ keyid: KEY_ID, sig: "00".repeat(5_000) }] }),
    ],
    ["a list", (json) => [json]],
    [
      "too many signatures",
      (json) => ({ ...json, signatures: manySignatures(METADATA_BOUNDS.maxSignatures + 1) }),
    ],
  ];
  test.each(envelopes)("envelope: %s", async (_name, change) => {
    await expect(parseMetadata("timestamp", writeJson(change(readJson(FILES.timestamp))))).rejects.toThrow(
      expect.objectContaining({ code: "tuf/invalid-metadata" }),
    );
  });
});

test("keys of unknown types are kept, and an empty signature is a key that has not signed", async () => {
  const key = { keytype: "ml-dsa", scheme: "ml-dsa-65", keyval: { public: "?" } };
  const keyId = sha256(canonicalJson(key));
  const root = await parseMetadata("root", changed("root", { keys: { ...rootKeys, [keyId]: key } }));
  expect(root.signed.keys.get(keyId)).toMatchObject({ keyType: "ml-dsa", public: "?" });
  const file = readJson(FILES.timestamp);
  file.signatures.push({ keyid: KEY_ID, sig: "" });
  const { signatures } = await parseMetadata("timestamp", writeJson(file));
  expect(signatures[1]).toEqual({ keyId: KEY_ID, signature: "" });
});

function manySignatures(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    keyid: index.toString(16).padStart(64, "0"),
    sig: "00".repeat(64),
  }));
}
