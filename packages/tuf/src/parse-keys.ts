import { digestOf } from "@tributary/core";
import { canonicalJson } from "./canonical-json.ts";
import { malformed, type JsonFields } from "./json-fields.ts";
import type { JsonValue } from "./json.ts";
import { METADATA_BOUNDS } from "./limits.ts";
import type { RoleKeys, TufKey } from "./metadata.ts";

export const KEY_ID = /^[0-9a-f]{64}$/;

/** What a key id has to be the hash of. */
export interface KeyIdCheck {
  readonly path: string;
  readonly keyId: string;
  /** Tools differ on whether fields they add later take part: one of these fits. */
  readonly forms: readonly Uint8Array[];
}

/** The "keys" of a root, or of delegations. @param checks - what `requireKeyIds` is to check goes in here */
export function parseKeys(fields: JsonFields, checks: KeyIdCheck[]): Map<string, TufKey> {
  const keys = new Map<string, TufKey>();
  for (const [keyId, key] of fields.fields("keys").entries()) {
    if (keys.size >= METADATA_BOUNDS.maxKeys) throw fields.fail("keys", `at most ${METADATA_BOUNDS.maxKeys}`);
    keys.set(keyId, parseKey(keyId, key, checks));
  }
  return keys;
}

function parseKey(keyId: string, fields: JsonFields, checks: KeyIdCheck[]): TufKey {
  const key: TufKey = {
    keyId,
    keyType: fields.text("keytype", { max: 64 }),
    scheme: fields.text("scheme", { max: 64 }),
    public: fields.fields("keyval").text("public", { max: METADATA_BOUNDS.maxPublicKeyText }),
  };
  const plain = { keytype: key.keyType, scheme: key.scheme, keyval: { public: key.public } };
  checks.push({ path: fields.path, keyId, forms: [canonicalJson(fields.object), canonicalJson(plain)] });
  return key;
}

/** Spec 4.3: the keyid must be correct for the key. @throws TributaryError `tuf/invalid-metadata` */
export async function requireKeyIds(checks: readonly KeyIdCheck[]): Promise<void> {
  for (const { path, keyId, forms } of checks) {
    if (!(await isOneOf(keyId, forms)))
      throw malformed(path, "a keyid that is the SHA-256 of its key", keyId);
  }
}

async function isOneOf(keyId: string, forms: readonly Uint8Array[]): Promise<boolean> {
  for (const form of forms) if ((await digestOf(form)) === keyId) return true;
  return false;
}

/** The "keyids" and "threshold" of a role. */
export function parseRole(fields: JsonFields): RoleKeys {
  const keyIds = fields.array("keyids", METADATA_BOUNDS.maxKeys).map((keyId: JsonValue) => {
    if (typeof keyId !== "string" || !KEY_ID.test(keyId)) {
      throw malformed(`${fields.path}.keyids`, "keyids", keyId);
    }
    return keyId;
  });
  if (new Set(keyIds).size !== keyIds.length) throw fields.fail("keyids", "each keyid once");
  return { keyIds, threshold: fields.integer("threshold", 1) };
}
