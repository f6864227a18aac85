import { sha256 } from "@tributary/core";
import { canonicalJson } from "./canonical-json.ts";
import { malformed, type JsonFields } from "./json-fields.ts";
import type { JsonValue } from "./json.ts";
import { METADATA_BOUNDS } from "./limits.ts";
import type { RoleKeys, TufKey } from "./metadata.ts";

export const KEY_ID = /^[0-9a-f]{64}$/;

/** The "keys" of a root, or of delegations. */
export function parseKeys(fields: JsonFields): Map<string, TufKey> {
  const keys = new Map<string, TufKey>();
  for (const [keyId, key] of fields.fields("keys").entries()) {
    if (keys.size >= METADATA_BOUNDS.maxKeys) throw fields.fail("keys", `at most ${METADATA_BOUNDS.maxKeys}`);
    keys.set(keyId, parseKey(keyId, key));
  }
  return keys;
}

function parseKey(keyId: string, fields: JsonFields): TufKey {
  const key: TufKey = {
    keyId,
    keyType: fields.text("keytype", { max: 64 }),
    scheme: fields.text("scheme", { max: 64 }),
    public: fields.fields("keyval").text("public", { max: METADATA_BOUNDS.maxPublicKeyText }),
  };
  // Spec 4.3: the keyid must be correct for the key. Tools differ on whether fields they add later take part: both forms pass.
  const plain = { keytype: key.keyType, scheme: key.scheme, keyval: { public: key.public } };
  if (keyId !== sha256(canonicalJson(fields.object)) && keyId !== sha256(canonicalJson(plain))) {
    throw malformed(fields.path, "a keyid that is the SHA-256 of its key", keyId);
  }
  return key;
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
