import { decodeBase64url, decodeUtf8, encodeBase64url, encodeUtf8, failure } from "@tributary/core";
import type { KeyStore } from "../store/device-store.ts";
import { readFileIfAny, removeFile, writeFileAtomic } from "./atomic-file.ts";

interface KeyDocument {
  readonly formatVersion: 1;
  /** AES, 256 bits, base64url. */
  readonly key: string;
}

/**
 * A key in a file that only the owner can read. Beside the files that it seals it keeps nobody out who can read both: it is for copies
 * and backups of those files alone, and for erasing them by erasing the key.
 */
export function createFileKey(path: string): KeyStore {
  const read = async (): Promise<CryptoKey | undefined> => {
    const bytes = await readFileIfAny(path);
    if (bytes === undefined) return undefined;
    try {
      const { formatVersion, key } = JSON.parse(decodeUtf8(bytes)) as KeyDocument;
      if (formatVersion !== 1) throw new RangeError(`formatVersion ${String(formatVersion)}`);
      const raw = decodeBase64url(key);
      return await crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
    } catch (cause) {
      throw failure(
        "store/corrupt",
        `store: ${path} holds no key; without it the examples are lost: remove the file and clear them`,
        { detail: { path }, cause },
      );
    }
  };
  const keep = async (key: CryptoKey): Promise<CryptoKey> => {
    const known = await read();
    if (known !== undefined) return known;
    const raw = new Uint8Array(await crypto.subtle.exportKey("raw", key));
    const document: KeyDocument = { formatVersion: 1, key: encodeBase64url(raw) };
    await writeFileAtomic(path, encodeUtf8(`${JSON.stringify(document)}\n`), { mode: 0o600 });
    return (await read())!;
  };
  // Of several that come at once the first one is kept.
  let tail: Promise<unknown> = Promise.resolve();
  return {
    read,
    keep(key) {
      const kept = tail.then(() => keep(key));
      tail = kept.catch(() => undefined);
      return kept;
    },
    clear: () => removeFile(path),
  };
}
