import { encodeHex, failure } from "@tributary/core";
import { canonicalJson } from "./canonical-json.ts";
import { isJsonObject, ownValue, type JsonObject, type JsonValue } from "./json.ts";
import { JsonFields } from "./json-fields.ts";
import type { TufSigner } from "./keys.ts";
import { METADATA_BOUNDS } from "./limits.ts";
import { KEY_ID } from "./parse-keys.ts";
import { parseStrictJson } from "./strict-json.ts";

/** Signatures of one file by keys that lie in different places: each adds its own, and they are brought together. */

/** Signs a file of any role as it is. A signature that a key has made before is made anew. */
export async function addSignatures(
  file: Uint8Array,
  signers: readonly TufSigner[],
): Promise<Uint8Array<ArrayBuffer>> {
  const { signed, signatures } = read(file);
  const message = canonicalJson(signed);
  for (const signer of signers) signatures.set(signer.keyId, encodeHex(await signer.sign(message)));
  return write(signed, signatures);
}

/**
 * The signatures of two copies of a file, of which the second's win. They are not verified.
 *
 * @throws TributaryError `tuf/invalid-metadata` where the two are different files
 */
export function mergeSignatures(file: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const [mine, theirs] = [read(file), read(other)];
  if (encodeHex(canonicalJson(mine.signed)) !== encodeHex(canonicalJson(theirs.signed))) {
    throw failure(
      "tuf/invalid-metadata",
      "tuf: the signatures are of another file; export it again, and have that signed",
      { detail: { path: "signed" } },
    );
  }
  return write(mine.signed, new Map([...mine.signatures, ...theirs.signatures]));
}

/** Of whoever signed, verified or not. */
export function signingKeyIds(file: Uint8Array): readonly string[] {
  return [...read(file).signatures.keys()];
}

function read(file: Uint8Array): { signed: JsonObject; signatures: Map<string, string> } {
  const json = parseStrictJson(file, { maxDepth: METADATA_BOUNDS.maxDepth, label: "file" });
  const fields = new JsonFields(json, "file");
  const signatures = new Map<string, string>();
  for (const [index, item] of fields.array("signatures", METADATA_BOUNDS.maxSignatures).entries()) {
    const entry = new JsonFields(item, `file.signatures[${index}]`);
    const keyId = entry.text("keyid", { max: 64, pattern: KEY_ID });
    signatures.set(keyId, entry.text("sig", { max: METADATA_BOUNDS.maxSignatureHex }));
  }
  const signed: JsonValue | undefined = isJsonObject(json) ? ownValue(json, "signed") : undefined;
  return { signed: new JsonFields(signed, "file.signed").object, signatures };
}

function write(signed: JsonObject, signatures: ReadonlyMap<string, string>): Uint8Array<ArrayBuffer> {
  const list = Array.from(signatures, ([keyid, sig]) => ({ keyid, sig }));
  return new TextEncoder().encode(JSON.stringify({ signatures: list, signed }));
}
