const MIN_RSA_BITS = 2_048;
const P256_BYTES = 32;

export async function verifyRsaPss(
  subtle: SubtleCrypto,
  pem: string,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  const key = await subtle.importKey("spki", pemBytes(pem), { name: "RSA-PSS", hash: "SHA-256" }, false, [
    "verify",
  ]);
  if ((key.algorithm as RsaHashedKeyAlgorithm).modulusLength < MIN_RSA_BITS) return false;
  const algorithm = { name: "RSA-PSS", saltLength: 32 };
  return subtle.verify(algorithm, key, new Uint8Array(signature), new Uint8Array(message));
}

export async function verifyP256(
  subtle: SubtleCrypto,
  pem: string,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const key = await subtle.importKey("spki", pemBytes(pem), curve, false, ["verify"]);
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  return subtle.verify(algorithm, key, p256Signature(signature), new Uint8Array(message));
}

/** TUF signs in DER, WebCrypto wants r and s side by side (IEEE P1363). */
function p256Signature(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const fixed = new Uint8Array(2 * P256_BYTES);
  if (der[0] !== 0x30 || der[1] !== der.length - 2) throw new RangeError("not a DER sequence");
  let at = 2;
  for (let half = 0; half < 2; half++) {
    const length = der[at + 1] ?? 0;
    const body = der.subarray(at + 2, at + 2 + length);
    if (der[at] !== 0x02 || length === 0 || body.length !== length || body[0]! >= 0x80) {
      throw new RangeError("not a positive DER integer");
    }
    if (body[0] === 0 && length > 1 && body[1]! < 0x80) throw new RangeError("a padded DER integer");
    const digits = body[0] === 0 ? body.subarray(1) : body;
    if (digits.length > P256_BYTES) throw new RangeError("a DER integer beyond 256 bits");
    fixed.set(digits, (half + 1) * P256_BYTES - digits.length);
    at += 2 + length;
  }
  if (at !== der.length) throw new RangeError("trailing bytes after the DER sequence");
  return fixed;
}

function pemBytes(pem: string): Uint8Array<ArrayBuffer> {
  const body = /^-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/.exec(pem)?.[1];
  if (body === undefined) throw new RangeError("not a PEM public key");
  const text = atob(body.replaceAll(/\s/g, ""));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
