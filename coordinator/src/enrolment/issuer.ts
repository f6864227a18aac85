import {
  decodeBase64url,
  encodeUtf8,
  equalBytes,
  failure,
  type Clock,
  type PopulationName,
  type SecureRandom,
} from "@tributary/core";
import {
  issueCertificate,
  LIMITS,
  readCertificate,
  verifyMember,
  type Certificate,
  type EnrolmentRequest,
} from "@tributary/protocol";
import { decodeProtectedHeader } from "jose";
import { readOrCreateSigningKey } from "../keys/signing-key.ts";
import { hasDuplicateClaims } from "./duplicate-claims.ts";
import {
  createEnrolmentTokens,
  ENROLMENT_TOKEN_TYPE,
  type EnrolmentToken,
  type MintOptions,
} from "./enrolment-token.ts";
import { openPopulationSecrets } from "./population-secrets.ts";

const SERIAL_BYTES = 16;

/** What a request to enrol comes to, before anything is stored. */
export interface Certified {
  /** As it is issued, and logged. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  readonly fields: Certificate;
  /** The token that it is given for; none where the certificate was issued elsewhere. */
  readonly token: EnrolmentToken | undefined;
}

/** Certificates hold from a while ago: a clock that is set back, here or at a member, does not make them ones of the future. */
export const BACKDATED_MS = 2 * 3_600_000;

/** Who vouches that a key is a device of the app: this coordinator, or a role of its own whose public key alone is here. */
export interface Issuer {
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** Checks what a device brought; the proof that it holds the key is checked by the caller. @throws `identity/*` */
  certify(population: PopulationName, request: EnrolmentRequest): Promise<Certified>;
  /** @throws `identity/issued-elsewhere` */
  mintToken(population: PopulationName, options?: MintOptions): Promise<string>;
}

/** Issues certificates against enrolment tokens, with the key in `<folder>/issuer.key.json`. */
export async function openOwnIssuer(options: {
  readonly folder: string;
  readonly clock: Pick<Clock, "now">;
  readonly random: SecureRandom;
}): Promise<Issuer> {
  const { folder, clock, random } = options;
  const key = await readOrCreateSigningKey(folder, "issuer", random);
  const tokens = createEnrolmentTokens({ secrets: openPopulationSecrets(folder, random), clock, random });
  return {
    publicKey: new Uint8Array(key.publicKey),
    mintToken: (population, minted) => tokens.mint(population, minted),
    async certify(population, request) {
      const token = await tokens.verify(population, request.token);
      const nowMs = clock.now();
      const certificate = await issueCertificate((message) => key.sign(message), {
        population,
        publicKey: decodeBase64url(request.publicKey),
        notBeforeMs: nowMs - BACKDATED_MS,
        notAfterMs: nowMs - BACKDATED_MS + LIMITS.maxCertificateLifetimeMs,
        serial: random.bytes(SERIAL_BYTES),
      });
      return { certificate, fields: await readCertificate(certificate), token };
    },
  };
}

/** Issues nothing: what a device brings as its token is the certificate that the app's backend issued. */
export function outsideIssuer(options: {
  readonly publicKey: Uint8Array<ArrayBuffer>;
  readonly clock: Pick<Clock, "now">;
}): Issuer {
  const { publicKey, clock } = options;
  return {
    publicKey,
    mintToken: () => Promise.reject(issuedElsewhere()),
    async certify(population, request) {
      if (isEnrolmentToken(request.token)) throw issuedElsewhere();
      if (hasDuplicateClaims(request.token)) {
        throw failure("identity/invalid-certificate", "enrolment: the certificate says something twice");
      }
      const certificate = encodeUtf8(request.token);
      const fields = await verifyMember(certificate, {
        issuerPublicKey: publicKey,
        population,
        nowMs: clock.now(),
      });
      if (!equalBytes(fields.publicKey, decodeBase64url(request.publicKey))) {
        throw failure(
          "identity/device-mismatch",
          `enrolment: the certificate is for the key of ${fields.deviceId}, the request for another`,
        );
      }
      return { certificate, fields, token: undefined };
    },
  };
}

function isEnrolmentToken(token: string): boolean {
  try {
    return decodeProtectedHeader(token).typ === ENROLMENT_TOKEN_TYPE;
  } catch {
    return false;
  }
}

function issuedElsewhere(): Error {
  return failure(
    "identity/issued-elsewhere",
    "enrolment: this coordinator has no issuer's key; certificates are issued by the app's backend (tributary issue)",
  );
}
