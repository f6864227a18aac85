import { join } from "node:path";
import {
  decodeBase64url,
  decodeHex,
  encodeBase64url,
  failure,
  toFailure,
  type DeviceId,
  type PopulationName,
} from "@tributary/core";
import {
  EnrolmentRequest,
  EnrolmentResponse,
  enrolmentMessage,
  LIMITS,
  PopulationNameSchema,
  readCertificate,
  verifySignature,
} from "@tributary/protocol";
import Type from "typebox";
import { isRefusedCertificate } from "../gateway/greeting.ts";
import type { App } from "../http/app.ts";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { LogEntryRecord } from "../ports/device-records.ts";
import { timestamp } from "../registry/views.ts";
import type { Enrolment, RoomContext } from "../rooms.ts";
import { appendCertificate } from "./certificate-tree.ts";
import type { EnrolmentToken, MintOptions } from "./enrolment-token.ts";
import { openOwnIssuer, outsideIssuer, type Certified } from "./issuer.ts";

/** Uses of expired tokens are remembered this much longer, should the clock be set back. */
const TOKEN_GRACE_MS = 86_400_000;

export type EnrolmentContext = Pick<RoomContext, "env" | "store"> & {
  readonly config: Pick<RoomContext["config"], "dataDir" | "issuer">;
  /** A certificate was added to the log. */
  readonly logGrew: () => void;
};

/** Admission of devices. Without an issuer in the configuration the key that certificates are signed with is in `<dataDir>/keys`. */
export interface EnrolmentRoom extends Enrolment {
  mintToken(population: PopulationName, options?: MintOptions): Promise<string>;
  /**
   * Admits the holder of a key: gives a certificate against an enrolment token, or takes one of the app's own issuer. Trying again with
   * the same token and key is allowed and gives the same certificate, so that a lost answer costs nothing.
   *
   * @throws TributaryError `identity/*`
   */
  enrol(population: PopulationName, request: EnrolmentRequest): Promise<EnrolmentResponse>;
}

export async function createEnrolment(context: EnrolmentContext): Promise<EnrolmentRoom> {
  const { config, env, store } = context;
  const { clock, random, log } = env;
  const issuer =
    config.issuer === undefined
      ? await openOwnIssuer({ folder: join(config.dataDir, "keys"), clock, random })
      : outsideIssuer({ publicKey: decodeHex(config.issuer.publicKey), clock });
  await store.devices.forgetTokens(clock.now() - TOKEN_GRACE_MS);

  const enrol = async (population: PopulationName, request: EnrolmentRequest): Promise<EnrolmentResponse> => {
    try {
      return await admitDevice(population, request);
    } catch (error) {
      // Never the token: whoever reads the log could enrol with it.
      const { code, message } = toFailure(error);
      log.warn("enrolment refused", { population, code, reason: message });
      throw error;
    }
  };

  const admitDevice = async (
    population: PopulationName,
    request: EnrolmentRequest,
  ): Promise<EnrolmentResponse> => {
    const certified = await issuer.certify(population, request);
    const proof = decodeBase64url(request.proof);
    const { publicKey, deviceId } = certified.fields;
    if (!(await verifySignature(publicKey, proof, enrolmentMessage(request.token)))) {
      throw failure(
        "identity/invalid-proof",
        "enrolment: the proof is no signature of the token by the given key",
      );
    }
    const now = clock.now();
    const before = await store.certificateLog.newestOf(deviceId);
    const stillNew = before !== undefined && (await isNew(before, population, now));
    // The use of the token, the device and the entry of the log are stored together, before anybody sees the certificate.
    const admitted = await store.transaction(async (tx) => {
      const { use, readmitted } = await requireAdmissible(tx, certified, now);
      // A device that asks again with its token was not answered: it gets what it was given.
      if (use === "already" && stillNew && !readmitted)
        return { certificate: before.certificate, grew: false };
      return { certificate: certified.certificate, grew: await admit(tx, certified, now) };
    });
    if (admitted.grew) context.logGrew();
    log.info("device enrolled", { device: deviceId, population });
    const { notAfterMs } = await readCertificate(admitted.certificate);
    return {
      certificate: encodeBase64url(admitted.certificate),
      deviceId,
      expiresAt: timestamp(notAfterMs),
    };
  };

  return {
    issuerPublicKey: issuer.publicKey,
    enrol,
    async mintToken(population, options) {
      // Minting is rare and an operator's doing: a good moment to forget what has expired.
      await store.devices.forgetTokens(clock.now() - TOKEN_GRACE_MS);
      return issuer.mintToken(population, options);
    },
    mintOpenToken: (population, ttlMs) => issuer.mintToken(population, { ttlMs }),
    register(app: App): void {
      app.post(
        "/v1/populations/:population/enrolments",
        {
          config: { audience: "device" },
          bodyLimit: 8_192,
          schema: {
            summary:
              "Enrol a device: a certificate for its key against a token, or one of the app's own issuer as the token",
            tags: ["devices"],
            params: Type.Object({ population: PopulationNameSchema }),
            body: EnrolmentRequest,
            response: { 200: EnrolmentResponse },
          },
        },
        async (request, reply) => {
          const answer = await enrol(request.params.population, request.body);
          return reply.header("cache-control", "no-store").send(answer);
        },
      );
    },
  };
}

/** Whether a token may be used, and the device is not revoked, or may come again with a certificate that it did not have before. */
async function requireAdmissible(
  { devices, certificateLog }: MetadataRepositories,
  { fields: { deviceId }, certificate, token }: Certified,
  at: number,
): Promise<{ readonly use: "used" | "already" | undefined; readonly readmitted: boolean }> {
  const known = await devices.get(deviceId);
  if (known?.state === "revoked") throw revoked(deviceId);
  if (known !== undefined && (await isRefusedCertificate(certificateLog, known, certificate)))
    throw revoked(deviceId);
  const readmitted = known?.state === "readmitted";
  if (token === undefined) return { use: undefined, readmitted };
  const { id: tokenId, expiresAtMs: expiresAt, maxUses } = token;
  const use = await devices.useToken({ tokenId, deviceId, at, expiresAt, maxUses });
  if (use === "exhausted") throw tokenUsed(token);
  return { use, readmitted };
}

/** Stores the device and its certificate. @returns whether the log grew */
async function admit(
  { devices, fleet, certificateLog }: MetadataRepositories,
  { fields, certificate, token }: Certified,
  at: number,
): Promise<boolean> {
  const { deviceId, population, publicKey, serial, notAfterMs } = fields;
  await devices.enrol({
    deviceId,
    population,
    publicKey,
    state: "active",
    enrolledAt: at,
    certificateSerial: serial,
    certificateExpiresAt: notAfterMs,
    lastSeenAt: null,
    software: null,
    refusedBefore: null,
  });
  // One that was let in again is as any other from here on; its earlier certificates are not.
  await devices.setState(deviceId, "active");
  if (token !== undefined) await fleet.setTags(deviceId, token.tags);
  return appendCertificate(certificateLog, certificate, fields, at);
}

/** Whether more than half of the life of a logged certificate is left. */
async function isNew(
  { certificate }: LogEntryRecord,
  population: PopulationName,
  now: number,
): Promise<boolean> {
  const { notAfterMs, population: issuedFor } = await readCertificate(certificate);
  return issuedFor === population && notAfterMs - now > LIMITS.maxCertificateLifetimeMs / 2;
}

function revoked(deviceId: DeviceId): Error {
  return failure("identity/revoked", `enrolment: device ${deviceId} was revoked`, { detail: { deviceId } });
}

function tokenUsed({ maxUses }: EnrolmentToken): Error {
  return failure("identity/token-used", `enrolment: the token was used by ${maxUses} other device(s)`, {
    detail: { maxUses },
  });
}
