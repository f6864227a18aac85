import { join } from "node:path";
import { decodeBase64url, encodeBase64url, encodeHex, failure, type PopulationName } from "@tributary/core";
import {
  deviceIdOf,
  EnrolmentRequest,
  EnrolmentResponse,
  enrolmentMessage,
  issueCertificate,
  PopulationNameSchema,
  verifySignature,
} from "@tributary/protocol";
import Type from "typebox";
import type { App } from "../http/app.ts";
import { readOrCreateSigningKey } from "../keys/signing-key.ts";
import { timestamp } from "../registry/views.ts";
import type { Enrolment, RoomContext } from "../rooms.ts";
import { createEnrolmentTokens, type MintOptions } from "./enrolment-token.ts";
import { openPopulationSecrets } from "./population-secrets.ts";

/** How long a certificate is good for; a device that enrols again gets a new one. */
export const CERTIFICATE_LIFETIME_MS = 30 * 86_400_000;

const SERIAL_BYTES = 16;
/** Uses of expired tokens are remembered this much longer, should the clock be set back. */
const TOKEN_GRACE_MS = 86_400_000;

export type EnrolmentContext = Pick<RoomContext, "env" | "store"> & {
  readonly config: Pick<RoomContext["config"], "dataDir">;
};

/** The issuer: it alone has the key that certificates are signed with, in `<dataDir>/keys`. */
export interface EnrolmentIssuer extends Enrolment {
  mintToken(population: PopulationName, options?: MintOptions): Promise<string>;
  /**
   * Issues a certificate to the holder of a key who brings a token. Trying again with the same token and key is allowed, so that a
   * lost answer costs nothing.
   *
   * @throws TributaryError `identity/invalid-token`, `identity/token-expired`, `identity/wrong-population`,
   * `identity/token-used`, `identity/invalid-proof` or `identity/revoked`.
   */
  enrol(population: PopulationName, request: EnrolmentRequest): Promise<EnrolmentResponse>;
}

export async function createEnrolment({ config, env, store }: EnrolmentContext): Promise<EnrolmentIssuer> {
  const folder = join(config.dataDir, "keys");
  const { clock, random, log } = env;
  const issuer = await readOrCreateSigningKey(folder, "issuer", random);
  const tokens = createEnrolmentTokens({ secrets: openPopulationSecrets(folder, random), clock, random });
  await store.devices.forgetTokens(clock.now() - TOKEN_GRACE_MS);

  const enrol = async (population: PopulationName, request: EnrolmentRequest): Promise<EnrolmentResponse> => {
    const token = await tokens.verify(population, request.token);
    const publicKey = decodeBase64url(request.publicKey);
    const proof = decodeBase64url(request.proof);
    if (!(await verifySignature(publicKey, proof, enrolmentMessage(request.token)))) {
      throw failure(
        "identity/invalid-proof",
        "enrolment: the proof is no signature of the token by the given key",
      );
    }
    const deviceId = await deviceIdOf(publicKey);
    const now = clock.now();
    const expiresAt = now + CERTIFICATE_LIFETIME_MS;
    const serial = random.bytes(SERIAL_BYTES);
    const certificate = await issueCertificate((message) => issuer.sign(message), {
      population,
      publicKey,
      notBeforeMs: now,
      notAfterMs: expiresAt,
      serial,
    });
    // The use of the token and the device are stored together, before anybody sees the certificate.
    await store.transaction(async ({ devices }) => {
      if ((await devices.get(deviceId))?.state === "revoked") {
        throw failure("identity/revoked", `enrolment: device ${deviceId} was revoked`, {
          detail: { deviceId },
        });
      }
      const use = await devices.useToken({
        tokenId: token.id,
        deviceId,
        at: now,
        expiresAt: token.expiresAtMs,
        maxUses: token.maxUses,
      });
      if (use === "exhausted") {
        throw failure(
          "identity/token-used",
          `enrolment: the token was used by ${token.maxUses} other device(s)`,
          {
            detail: { maxUses: token.maxUses },
          },
        );
      }
      await devices.enrol({
        deviceId,
        population,
        publicKey,
        state: "active",
        enrolledAt: now,
        certificateSerial: encodeHex(serial),
        certificateExpiresAt: expiresAt,
        lastSeenAt: null,
      });
    });
    log.info("device enrolled", { deviceId, population, subject: token.subject });
    return { certificate: encodeBase64url(certificate), deviceId, expiresAt: timestamp(expiresAt) };
  };

  return {
    issuerPublicKey: new Uint8Array(issuer.publicKey),
    enrol,
    async mintToken(population, options) {
      // Minting is rare and an operator's doing: a good moment to forget what has expired.
      await store.devices.forgetTokens(clock.now() - TOKEN_GRACE_MS);
      return tokens.mint(population, options);
    },
    register(app: App): void {
      app.post(
        "/v1/populations/:population/enrolments",
        {
          config: { audience: "device" },
          bodyLimit: 8_192,
          schema: {
            summary: "Enrol a device: a certificate for its key, against a token of the app's backend",
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
