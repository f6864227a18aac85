import {
  concatBytes,
  decodeBase64url,
  decodeUtf8,
  encodeBase64url,
  encodeHex,
  encodeUtf8,
  failure,
  isPopulationName,
  sha256,
  type DeviceId,
  type Digest,
  type PopulationName,
} from "@tributary/core";
import Type, { type Static } from "typebox";
import { Check } from "typebox/value";
import { deviceIdOf, signatureVerifier, type Sign, type Verify } from "./identity.ts";
import { LIMITS } from "./limits.ts";

// A certificate is a JWT (RFC 7519) in the compact form of JWS (RFC 7515), so that an app's backend can issue it with the
// JOSE library of its language. The device's key stands in `cnf` (RFC 7800).

/** `typ` of the header: tells a certificate from every other JWT that a key might sign (RFC 8725, 3.11). */
export const CERTIFICATE_TYPE = "tributary-certificate+jwt";

/** What the issuer says about a device's key. */
export interface Certificate {
  /** `aud` */
  readonly population: PopulationName;
  /** {@link deviceIdOf} the public key. */
  readonly deviceId: DeviceId;
  /** `cnf`: raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** `nbf` and `exp`, in milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** `jti`: the issuer's name for this certificate in logs, 1 to 64 characters. */
  readonly serial: string;
}

/** EdDSA is what most libraries write, Ed25519 its fully specified name (RFC 9864). `crit` asks for what nobody here knows. */
const Header = Type.Object({
  alg: Type.Union([Type.Literal("EdDSA"), Type.Literal("Ed25519")]),
  typ: Type.Literal(CERTIFICATE_TYPE),
  crit: Type.Optional(Type.Never()),
});

const Seconds = Type.Integer({ minimum: 0, maximum: 2 ** 40 });
const Claims = Type.Object({
  aud: Type.String({ maxLength: 63 }),
  cnf: Type.Object({
    jwk: Type.Object({
      kty: Type.Literal("OKP"),
      crv: Type.Literal("Ed25519"),
      x: Type.String({ minLength: 43, maxLength: 43 }),
    }),
  }),
  nbf: Seconds,
  exp: Seconds,
  jti: Type.String({ minLength: 1, maxLength: 64 }),
});

export interface CertificateFields {
  readonly population: PopulationName;
  /** Raw Ed25519 public key of the device, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Parts of a second are dropped. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Random bytes of the issuer, at most 48. */
  readonly serial: Uint8Array;
}

/** Issues a certificate. @param sign Ed25519, with the issuer's key */
export async function issueCertificate(
  sign: Sign,
  fields: CertificateFields,
): Promise<Uint8Array<ArrayBuffer>> {
  const { population, publicKey, notBeforeMs, notAfterMs, serial } = fields;
  const claims: Static<typeof Claims> = {
    aud: population,
    cnf: { jwk: { kty: "OKP", crv: "Ed25519", x: encodeBase64url(publicKey) } },
    nbf: Math.floor(notBeforeMs / 1000),
    exp: Math.floor(notAfterMs / 1000),
    jti: encodeBase64url(serial),
  };
  const signed = `${part({ alg: "EdDSA", typ: CERTIFICATE_TYPE })}.${part(claims)}`;
  const signature = await sign(encodeUtf8(signed));
  return encodeUtf8(`${signed}.${encodeBase64url(signature)}`);
}

/** The clock of a coordinator or a device may be behind that of the issuer by so much. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/**
 * Reads a certificate and checks the issuer's signature, what it says, and that it holds now and for at most
 * `LIMITS.maxCertificateLifetimeMs` in all.
 *
 * @param nowMs milliseconds since the epoch; it may be up to 5 minutes before the certificate begins
 * @throws identity/invalid-certificate, identity/certificate-expired or identity/not-yet-valid.
 */
export async function verifyCertificate(
  certificate: Uint8Array,
  issuerPublicKey: Uint8Array,
  nowMs: number,
): Promise<Certificate> {
  const fields = await requireIssued(certificate, [signatureVerifier(issuerPublicKey)]);
  requireInForce(fields, nowMs);
  return fields;
}

function requireInForce({ deviceId, notBeforeMs, notAfterMs }: Certificate, nowMs: number): void {
  if (notAfterMs <= notBeforeMs || notAfterMs - notBeforeMs > LIMITS.maxCertificateLifetimeMs) {
    throw invalid(
      `lives ${notAfterMs - notBeforeMs} ms, more than 0 and at most ${LIMITS.maxCertificateLifetimeMs} are allowed`,
    );
  }
  if (nowMs < notBeforeMs - CLOCK_TOLERANCE_MS) {
    throw failure(
      "identity/not-yet-valid",
      `identity: certificate of ${deviceId} is valid from ${notBeforeMs}, now is ${nowMs}; check the clocks`,
      { detail: { notBeforeMs, nowMs } },
    );
  }
  if (nowMs >= notAfterMs) {
    throw failure(
      "identity/certificate-expired",
      `identity: certificate of ${deviceId} was valid until ${notAfterMs}, now is ${nowMs}; enrol again`,
      { detail: { notAfterMs, nowMs } },
    );
  }
}

/**
 * Reads a certificate and checks that one of these issuers signed it, whenever it holds: for whoever audits a log.
 *
 * @throws identity/invalid-certificate
 */
export function verifyIssued(
  certificate: Uint8Array,
  issuerPublicKeys: readonly Uint8Array[],
): Promise<Certificate> {
  return requireIssued(certificate, issuerPublicKeys.map(signatureVerifier));
}

async function requireIssued(certificate: Uint8Array, issuers: readonly Verify[]): Promise<Certificate> {
  const { signed, signature, claims } = split(certificate);
  const message = encodeUtf8(signed);
  for (const verify of issuers) {
    if (await verify(message, signature)) return certificateOf(claims());
  }
  throw invalid("is not signed by an issuer that is trusted here");
}

/** Who a member of a cohort is, by its certificate; `verify` tells its signatures from others and never throws. */
export interface MemberIdentity {
  readonly publicKey: Uint8Array;
  readonly verify: Verify;
}

export interface MemberRules {
  readonly issuerPublicKey: Uint8Array;
  readonly population: string;
  readonly nowMs: number;
}

/**
 * What makes someone a member: a certificate of this issuer, for this population, that holds now.
 *
 * @throws identity/*
 */
export type VerifyMember = (
  certificate: Uint8Array,
  rules: MemberRules,
) => Promise<MemberIdentity & Certificate>;

/** For whoever meets a certificate once; see {@link createMemberVerifier}. */
export const verifyMember: VerifyMember = (certificate, rules) => createMemberVerifier()(certificate, rules);

/** Members remembered: those of a few cohorts. */
const MAX_KNOWN_MEMBERS = 4096;

/** A verifier that checks the signature of a certificate once: devices meet each other again in the next round. */
export function createMemberVerifier(): VerifyMember {
  const issuers = new Map<string, Verify>();
  const known = new Map<Digest, MemberIdentity & Certificate>();
  return async (certificate, { issuerPublicKey, population, nowMs }) => {
    const name = encodeHex(issuerPublicKey);
    let issuer = issuers.get(name);
    if (issuer === undefined) issuers.set(name, (issuer = signatureVerifier(issuerPublicKey)));
    const digest = sha256(concatBytes(issuerPublicKey, certificate));
    let member = known.get(digest);
    if (member === undefined) {
      const fields = await requireIssued(certificate, [issuer]);
      member = { ...fields, verify: signatureVerifier(fields.publicKey) };
      known.set(digest, member);
      if (known.size > MAX_KNOWN_MEMBERS) known.delete(known.keys().next().value!);
    }
    requireInForce(member, nowMs);
    if (member.population !== population) {
      throw failure(
        "identity/wrong-population",
        `identity: ${member.deviceId} is of population ${member.population}, expected ${population}`,
      );
    }
    return member;
  };
}

/**
 * Reads a certificate without checking the signature or the time: a device looks up its own expiry with it.
 *
 * @throws identity/invalid-certificate
 */
export async function readCertificate(certificate: Uint8Array): Promise<Certificate> {
  return certificateOf(split(certificate).claims());
}

interface Parts {
  /** What the signature is over. */
  readonly signed: string;
  readonly signature: Uint8Array;
  /** Reads the claims; after the signature was checked, where it is. */
  readonly claims: () => unknown;
}

function split(certificate: Uint8Array): Parts {
  if (certificate.length > LIMITS.maxCertificateBytes) {
    throw invalid(`has ${certificate.length} bytes, at most ${LIMITS.maxCertificateBytes} are allowed`);
  }
  const [header, payload, signature, ...rest] = readable(() => decodeUtf8(certificate)).split(".");
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) {
    throw invalid("is no JWT of three parts");
  }
  if (
    !Check(
      Header,
      readable(() => jsonOf(header)),
    )
  ) {
    throw invalid(`has no header { alg: "EdDSA", typ: "${CERTIFICATE_TYPE}" }`);
  }
  return {
    signed: `${header}.${payload}`,
    signature: readable(() => decodeBase64url(signature)),
    claims: () => readable(() => jsonOf(payload)),
  };
}

async function certificateOf(claims: unknown): Promise<Certificate> {
  if (!Check(Claims, claims))
    throw invalid("lacks one of aud, cnf.jwk, nbf, exp and jti, or has it malformed");
  const { aud, cnf, nbf, exp, jti } = claims;
  if (!isPopulationName(aud)) throw invalid("has an aud that is no name of a population");
  const publicKey = readable(() => decodeBase64url(cnf.jwk.x));
  return {
    population: aud,
    deviceId: await deviceIdOf(publicKey),
    publicKey,
    notBeforeMs: nbf * 1000,
    notAfterMs: exp * 1000,
    serial: jti,
  };
}

function part(json: object): string {
  return encodeBase64url(encodeUtf8(JSON.stringify(json)));
}

function jsonOf(text: string): unknown {
  return JSON.parse(decodeUtf8(decodeBase64url(text))) as unknown;
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw invalid("cannot be read", cause);
  }
}

function invalid(what: string, cause?: unknown): Error {
  return failure("identity/invalid-certificate", `identity: the certificate ${what}; enrol again`, {
    cause,
  });
}
