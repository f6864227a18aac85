import { decodeBase64url, decodeUtf8, encodeBase64url, encodeUtf8, failure } from "@tributary/core";
import type { IdentityStore, StoredIdentity } from "../store/device-store.ts";
import { readFileIfAny, removeFile, writeFileAtomic } from "./atomic-file.ts";

interface IdentityDocument {
  readonly formatVersion: 1;
  /** PKCS #8, base64url. */
  readonly privateKey: string;
  /** Raw 32 bytes, base64url. */
  readonly publicKey: string;
  readonly certificate?: string;
}

/** Keys and certificate in one file that only the owner can read. */
export function createFileIdentity(path: string): IdentityStore {
  return {
    async read() {
      const bytes = await readFileIfAny(path);
      if (bytes === undefined) return undefined;
      try {
        return await importIdentity(JSON.parse(decodeUtf8(bytes)) as IdentityDocument);
      } catch (cause) {
        throw failure("store/corrupt", `store: ${path} cannot be read; remove it to enrol as a new device`, {
          detail: { path },
          cause,
        });
      }
    },
    async write({ keys, certificate }) {
      const known = await readFileIfAny(path);
      const publicKey = encodeBase64url(new Uint8Array(await crypto.subtle.exportKey("raw", keys.publicKey)));
      const document: IdentityDocument = {
        formatVersion: 1,
        privateKey: keys.privateKey.extractable
          ? encodeBase64url(new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey)))
          : keptPrivateKey(known, publicKey, path),
        publicKey,
        ...(certificate === undefined ? {} : { certificate: encodeBase64url(certificate) }),
      };
      await writeFileAtomic(path, encodeUtf8(`${JSON.stringify(document)}\n`), { mode: 0o600 });
    },
    clear: () => removeFile(path),
  };
}

async function importIdentity(document: IdentityDocument): Promise<StoredIdentity> {
  if (document.formatVersion !== 1) throw new RangeError(`formatVersion ${String(document.formatVersion)}`);
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey("pkcs8", decodeBase64url(document.privateKey), "Ed25519", false, ["sign"]),
    crypto.subtle.importKey("raw", decodeBase64url(document.publicKey), "Ed25519", true, ["verify"]),
  ]);
  return {
    keys: { privateKey, publicKey },
    ...(document.certificate === undefined ? {} : { certificate: decodeBase64url(document.certificate) }),
  };
}

/** Keys that were read from the file are not extractable any more: what the file holds stays. */
function keptPrivateKey(known: Uint8Array | undefined, publicKey: string, path: string): string {
  if (known !== undefined) {
    const document = JSON.parse(decodeUtf8(known)) as IdentityDocument;
    if (document.publicKey === publicKey) return document.privateKey;
  }
  throw new TypeError(`identity: the private key is not extractable and ${path} does not hold it`);
}
