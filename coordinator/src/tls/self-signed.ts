import { createHash, X509Certificate as ParsedCertificate } from "node:crypto";
import { rm } from "node:fs/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import { join } from "node:path";
import { decodeUtf8, encodeHex, encodeUtf8, type Clock, type SecureRandom } from "@tributary/core";
import { createKeyFile, readKeyFile } from "../keys/key-file.ts";
import type { KeyPair } from "./certificate-files.ts";

const DAY_MS = 86_400_000;
/** How long a certificate for trials holds. */
const LIFETIME_MS = 90 * DAY_MS;
/** One that holds for less is made anew at the start. */
const RENEWAL_MS = 30 * DAY_MS;
const SERIAL_BYTES = 16;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/**
 * A key and a certificate for trials in `<folder>/self-signed.pem`, which nobody vouches for: whoever connects compares the fingerprint.
 * The same again at the next start, unless it is about to expire, or is to stand for other names.
 *
 * @param names - host names and addresses beside those of this machine's loopback
 * @throws `coordinator/key-insecure`
 */
export async function openSelfSigned(options: {
  readonly folder: string;
  readonly names: readonly string[];
  readonly clock: Pick<Clock, "now">;
  readonly random: SecureRandom;
}): Promise<KeyPair> {
  const { folder, clock, random } = options;
  const names = [...new Set(["localhost", "127.0.0.1", "::1", hostname().toLowerCase(), ...options.names])];
  const path = join(folder, "self-signed.pem");
  const kept = await readKeyFile(path);
  const known = kept === undefined ? undefined : splitPem(decodeUtf8(kept));
  if (known !== undefined && standsFor(known, names, clock.now())) return known;
  const made = await makeCertificate(names, clock.now(), random);
  await rm(path, { force: true });
  await createKeyFile(path, encodeUtf8(`${made.key}\n${made.cert}\n`));
  return made;
}

async function makeCertificate(
  names: readonly string[],
  nowMs: number,
  random: SecureRandom,
): Promise<KeyPair> {
  // Both only where they are needed: most coordinators have a certificate, or a proxy. The second keeps its decorators' data in the first.
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const keys = (await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])) as CryptoKeyPair;
  const serial = random.bytes(SERIAL_BYTES);
  // Positive, as RFC 5280 (4.1.2.2) has it.
  serial[0]! &= 0x7f;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: encodeHex(serial),
      name: "CN=Tributary, O=self-signed for trials",
      notBefore: new Date(nowMs - DAY_MS),
      notAfter: new Date(nowMs + LIFETIME_MS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(
          names.map((value) => ({ type: isIP(value) > 0 ? ("ip" as const) : ("dns" as const), value })),
        ),
      ],
    },
    crypto,
  );
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return { key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"), cert: certificate.toString("pem") };
}

function splitPem(text: string): KeyPair | undefined {
  const blocks = text.match(/-----BEGIN [A-Z ]+-----[\s\S]+?-----END [A-Z ]+-----/g) ?? [];
  const [key, cert] = blocks;
  return key === undefined || cert === undefined ? undefined : { key, cert };
}

function standsFor({ cert }: KeyPair, names: readonly string[], nowMs: number): boolean {
  const parsed = new ParsedCertificate(cert);
  if (parsed.validToDate.getTime() - nowMs < RENEWAL_MS) return false;
  return names.every(
    (name) => (isIP(name) > 0 ? parsed.checkIP(name) : parsed.checkHost(name)) !== undefined,
  );
}

/** SHA-256 of a certificate, as browsers and openssl show it. */
export function fingerprintOf(cert: string): string {
  const hash = createHash("sha256").update(new ParsedCertificate(cert).raw).digest("hex");
  return hash.toUpperCase().match(/../g)!.join(":");
}
