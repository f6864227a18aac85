import type { VerifiedIdentity, VerifyCertificate } from "../../src/index.ts";

/** An identity key with a certificate: the raw public key under the issuer's signature. */
export interface TestIdentity {
  readonly certificate: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly sign: (message: Uint8Array) => Promise<Uint8Array>;
}

const { subtle } = globalThis.crypto;
const own = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

const textOf = (...parts: readonly Uint8Array[]): string =>
  parts.map((bytes) => String.fromCharCode(...bytes)).join("|");

const generate = async (): Promise<CryptoKeyPair> => subtle.generateKey("Ed25519", false, ["sign", "verify"]);

/** An issuer; certificates of another one do not verify here. */
export async function testIssuer(): Promise<{
  readonly issue: () => Promise<TestIdentity>;
  readonly verifyCertificate: VerifyCertificate;
}> {
  const issuer = await generate();
  // In one process all members ask the same questions: an answer is worked out once.
  const answers = new Map<string, Promise<boolean>>();
  const certified = new Map<string, Promise<VerifiedIdentity>>();
  const once = <T>(memory: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> => {
    let answer = memory.get(key);
    if (answer === undefined) memory.set(key, (answer = work()));
    return answer;
  };
  const verify = async (certificate: Uint8Array): Promise<VerifiedIdentity> => {
    const publicKey = own(certificate.subarray(0, 32));
    if (!(await subtle.verify("Ed25519", issuer.publicKey, own(certificate.subarray(32)), publicKey)))
      throw new Error("another issuer");
    const key = await subtle.importKey("raw", publicKey, "Ed25519", false, ["verify"]);
    return {
      publicKey,
      verify: (message, signature) =>
        once(answers, textOf(publicKey, message, signature), () =>
          subtle.verify("Ed25519", key, own(signature), own(message)),
        ),
    };
  };
  return {
    async issue() {
      const keys = await generate();
      const publicKey = new Uint8Array(await subtle.exportKey("raw", keys.publicKey));
      const signature = new Uint8Array(await subtle.sign("Ed25519", issuer.privateKey, publicKey));
      return {
        certificate: Uint8Array.of(...publicKey, ...signature),
        publicKey,
        sign: async (message) => new Uint8Array(await subtle.sign("Ed25519", keys.privateKey, own(message))),
      };
    },
    verifyCertificate: (certificate) => once(certified, textOf(certificate), () => verify(certificate)),
  };
}
