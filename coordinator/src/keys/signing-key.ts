import { join } from "node:path";
import {
  decodeBase64url,
  decodeHex,
  encodeBase64url,
  encodeHex,
  equalBytes,
  failure,
  TributaryError,
  type SecureRandom,
} from "@tributary/core";
import { generateTufKey, importTufKey, type TufSigner } from "@tributary/tuf";
import { corrupt, createKeyFile, readKeyFile } from "./key-file.ts";

/** What a signing key may be used for; it stands in its file, so that files cannot be swapped. */
export type KeyPurpose = "root" | "targets" | "snapshot" | "timestamp" | "issuer";

/** `<folder>/<purpose>.key.json`. The public half lets damage be told from another key. */
interface KeyDocument {
  readonly formatVersion: 1;
  readonly purpose: KeyPurpose;
  readonly algorithm: "Ed25519";
  /** Hexadecimal. */
  readonly publicKey: string;
  /** PKCS #8, base64url. */
  readonly privateKey: string;
}

export function signingKeyPath(folder: string, purpose: KeyPurpose): string {
  return join(folder, `${purpose}.key.json`);
}

/**
 * The Ed25519 key of a purpose; `undefined` where there is no file.
 *
 * @throws TributaryError `coordinator/key-insecure` or `coordinator/key-corrupt`.
 */
export async function readSigningKey(folder: string, purpose: KeyPurpose): Promise<TufSigner | undefined> {
  const path = signingKeyPath(folder, purpose);
  const bytes = await readKeyFile(path);
  if (bytes === undefined) return undefined;
  try {
    const document = JSON.parse(
      new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    ) as Partial<KeyDocument>;
    if (document.formatVersion !== 1 || document.algorithm !== "Ed25519") {
      throw corrupt(path, "it is no Ed25519 key file of format 1");
    }
    if (document.purpose !== purpose) {
      throw corrupt(path, `it holds the key for ${JSON.stringify(document.purpose)}, not for "${purpose}"`);
    }
    const signer = await importTufKey(decodeBase64url(String(document.privateKey)));
    if (!equalBytes(signer.publicKey, decodeHex(String(document.publicKey)))) {
      throw corrupt(path, "its two halves do not belong together");
    }
    return signer;
  } catch (error) {
    if (TributaryError.is(error) && error.code === "coordinator/key-corrupt") throw error;
    throw corrupt(path, "it cannot be read", error);
  } finally {
    bytes.fill(0);
  }
}

/** Makes the key of a purpose. @throws TributaryError `store/conflict` where there is a file already. */
export async function createSigningKey(
  folder: string,
  purpose: KeyPurpose,
  random: SecureRandom,
): Promise<TufSigner> {
  const { signer, exported } = await generateTufKey({ random });
  const document: KeyDocument = {
    formatVersion: 1,
    purpose,
    algorithm: "Ed25519",
    publicKey: encodeHex(signer.publicKey),
    privateKey: encodeBase64url(exported),
  };
  exported.fill(0);
  const bytes = new TextEncoder().encode(`${JSON.stringify(document, undefined, 2)}\n`);
  await createKeyFile(signingKeyPath(folder, purpose), bytes);
  bytes.fill(0);
  return signer;
}

/** The key of a purpose, made where there is none. */
export async function readOrCreateSigningKey(
  folder: string,
  purpose: KeyPurpose,
  random: SecureRandom,
): Promise<TufSigner> {
  return (await readSigningKey(folder, purpose)) ?? (await createSigningKey(folder, purpose, random));
}

/** @throws TributaryError `coordinator/key-missing` */
export async function requireSigningKey(folder: string, purpose: KeyPurpose): Promise<TufSigner> {
  const signer = await readSigningKey(folder, purpose);
  if (signer !== undefined) return signer;
  const path = signingKeyPath(folder, purpose);
  throw failure(
    "coordinator/key-missing",
    `coordinator: ${path} is missing, but the signed root names its key`,
    {
      detail: { path },
    },
  );
}
