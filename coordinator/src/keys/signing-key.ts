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
import {
  generateP256Key,
  generateTufKey,
  importP256Key,
  importTufKey,
  type Ed25519Signer,
  type TufSigner,
} from "@tributary/tuf";
import { corrupt, createKeyFile, readKeyFile } from "./key-file.ts";

/** What a signing key may be used for, "issuer" or a role of the release; it stands in its file, so that files cannot be swapped. */
export type KeyPurpose = string;

export const KEY_ALGORITHMS = ["Ed25519", "ECDSA-P256"] as const;
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number];

/** `<folder>/<purpose>.key.json`. The public half lets damage be told from another key. */
interface KeyDocument {
  readonly formatVersion: 1;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  /** Hexadecimal of Ed25519, PEM of ECDSA. */
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
export async function readSigningKey(
  folder: string,
  purpose: KeyPurpose,
): Promise<Ed25519Signer | undefined> {
  const path = signingKeyPath(folder, purpose);
  const key = await readSigningKeyFile(path);
  if (key === undefined) return undefined;
  if (key.purpose !== purpose) {
    throw corrupt(path, `it holds the key for ${JSON.stringify(key.purpose)}, not for "${purpose}"`);
  }
  if (!("publicKey" in key.signer)) throw corrupt(path, "it is no Ed25519 key");
  return key.signer;
}

/** A key of any algorithm and what it is for. @throws as {@linkcode readSigningKey} */
export async function readSigningKeyFile(
  path: string,
): Promise<{ readonly purpose: KeyPurpose; readonly signer: Ed25519Signer | TufSigner } | undefined> {
  const bytes = await readKeyFile(path);
  if (bytes === undefined) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    const document = JSON.parse(text) as Partial<KeyDocument>;
    const { formatVersion, purpose, algorithm } = document;
    if (formatVersion !== 1 || !KEY_ALGORITHMS.some((known) => known === algorithm)) {
      throw corrupt(path, `it is no key file of format 1 with ${KEY_ALGORITHMS.join(" or ")}`);
    }
    if (typeof purpose !== "string") throw corrupt(path, "it does not say what it is for");
    return { purpose, signer: await signerOf(path, document) };
  } catch (error) {
    if (TributaryError.is(error) && error.code === "coordinator/key-corrupt") throw error;
    throw corrupt(path, "it cannot be read", error);
  } finally {
    bytes.fill(0);
  }
}

async function signerOf(
  path: string,
  { algorithm, publicKey, privateKey }: Partial<KeyDocument>,
): Promise<Ed25519Signer | TufSigner> {
  const exported = decodeBase64url(String(privateKey));
  const apart = (): Error => corrupt(path, "its two halves do not belong together");
  if (algorithm === "Ed25519") {
    const signer = await importTufKey(exported);
    if (!equalBytes(signer.publicKey, decodeHex(String(publicKey)))) throw apart();
    return signer;
  }
  const signer = await importP256Key(exported);
  if (signer.key.public !== publicKey) throw apart();
  return signer;
}

/** Makes the Ed25519 key of a purpose. @throws TributaryError `store/conflict` where there is a file already. */
export async function createSigningKey(
  folder: string,
  purpose: KeyPurpose,
  random: SecureRandom,
): Promise<Ed25519Signer> {
  const { signer, exported } = await generateTufKey({ random });
  const publicKey = encodeHex(signer.publicKey);
  await writeKey(signingKeyPath(folder, purpose), { purpose, algorithm: "Ed25519", publicKey }, exported);
  return signer;
}

/** Makes a key in a file of any name. @throws TributaryError `store/conflict` where there is one already. */
export async function createSigningKeyFile(
  pathOf: (signer: TufSigner) => string,
  {
    purpose,
    algorithm,
    random,
  }: Pick<KeyDocument, "purpose" | "algorithm"> & { readonly random: SecureRandom },
): Promise<TufSigner> {
  const { signer, exported } =
    algorithm === "Ed25519" ? await generateTufKey({ random }) : await generateP256Key();
  await writeKey(pathOf(signer), { purpose, algorithm, publicKey: signer.key.public }, exported);
  return signer;
}

async function writeKey(
  path: string,
  fields: Pick<KeyDocument, "purpose" | "algorithm" | "publicKey">,
  exported: Uint8Array,
): Promise<void> {
  const document: KeyDocument = { formatVersion: 1, ...fields, privateKey: encodeBase64url(exported) };
  exported.fill(0);
  const bytes = new TextEncoder().encode(`${JSON.stringify(document, undefined, 2)}\n`);
  try {
    await createKeyFile(path, bytes);
  } finally {
    bytes.fill(0);
  }
}

/** The key of a purpose, made where there is none. */
export async function readOrCreateSigningKey(
  folder: string,
  purpose: KeyPurpose,
  random: SecureRandom,
): Promise<Ed25519Signer> {
  return (await readSigningKey(folder, purpose)) ?? (await createSigningKey(folder, purpose, random));
}

/** @throws TributaryError `coordinator/key-missing` */
export async function requireSigningKey(folder: string, purpose: KeyPurpose): Promise<Ed25519Signer> {
  const signer = await readSigningKey(folder, purpose);
  if (signer !== undefined) return signer;
  throw keyMissing(signingKeyPath(folder, purpose));
}

export function keyMissing(path: string): TributaryError {
  return failure(
    "coordinator/key-missing",
    `coordinator: ${path} is missing, but signed metadata names its key`,
    {
      detail: { path },
    },
  );
}
