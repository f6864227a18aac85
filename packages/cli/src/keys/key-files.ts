import { writeFile } from "node:fs/promises";
import type { PublicKeyBody as PublicKey } from "@tributary/api-client";
import { createSigningKeyFile, type KeyAlgorithm } from "@tributary/coordinator";
import { failure, systemRandom } from "@tributary/core";
import { parseDocument, parseJson, PublicKeyBody } from "@tributary/protocol";
import { readInput } from "../read-input.ts";

const ALGORITHMS = { ed25519: "Ed25519", "ecdsa-p256": "ECDSA-P256" } as const satisfies Record<
  string,
  KeyAlgorithm
>;
export type KeyAlgorithmName = keyof typeof ALGORITHMS;
export const KEY_ALGORITHM_NAMES = Object.keys(ALGORITHMS) as readonly KeyAlgorithmName[];

const MAX_PUBLIC_BYTES = 8 * 1024;

/** A new key in a file that only its owner can read, and its public half beside it. @throws `store/conflict` */
export async function makeKey(options: {
  readonly file: string;
  readonly role: string;
  readonly algorithm: KeyAlgorithmName;
}): Promise<{ readonly keyId: string }> {
  const { file, role, algorithm } = options;
  const signer = await createSigningKeyFile(() => file, {
    purpose: role,
    algorithm: ALGORITHMS[algorithm],
    random: systemRandom,
  });
  await writeFile(`${file}.pub`, `${JSON.stringify(signer.key, undefined, 2)}\n`);
  return { keyId: signer.keyId };
}

/** What `makeKey` wrote, or a PEM file of another tool. @throws `cli/file`, `protocol/*` */
export async function readPublicKey(file: string): Promise<PublicKey> {
  const bytes = await readInput(file);
  const text = new TextDecoder().decode(bytes.subarray(0, MAX_PUBLIC_BYTES));
  if (!text.startsWith("-----BEGIN PUBLIC KEY-----")) {
    return parseDocument("public key", PublicKeyBody, parseJson("public key", bytes, MAX_PUBLIC_BYTES));
  }
  const scheme = await schemeOf(text);
  if (scheme === undefined) {
    throw failure("cli/file", `${file}: expected a public key of ECDSA P-256, or of RSA from 2048 bits on`, {
      detail: { file },
    });
  }
  return { keyType: scheme === "rsassa-pss-sha256" ? "rsa" : "ecdsa", scheme, public: text };
}

async function schemeOf(pem: string): Promise<PublicKey["scheme"] | undefined> {
  const body = pem.replaceAll(/-----[A-Z ]+-----|\s/g, "");
  const spki = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
  const reads = (algorithm: RsaHashedImportParams | EcKeyImportParams): Promise<boolean> =>
    crypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]).then(
      () => true,
      () => false,
    );
  if (await reads({ name: "ECDSA", namedCurve: "P-256" })) return "ecdsa-sha2-nistp256";
  if (await reads({ name: "RSA-PSS", hash: "SHA-256" })) return "rsassa-pss-sha256";
  return undefined;
}
