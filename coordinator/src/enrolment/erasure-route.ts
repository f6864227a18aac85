import { failure, type DeviceId, type Env, type TributaryError } from "@tributary/core";
import {
  DeviceErasure,
  erasureMessage,
  PopulationNameSchema,
  verifySignature,
  type AuditActor,
} from "@tributary/protocol";
import Type from "typebox";
import { auditedDevice } from "../audit/actors.ts";
import { checkCertificate } from "../gateway/greeting.ts";
import type { App } from "../http/app.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { certificateOf, proofOf } from "../rounds/upload-headers.ts";

export interface ErasureRouteOptions {
  readonly env: Pick<Env, "clock" | "random" | "log">;
  readonly store: Pick<MetadataStore, "certificateLog" | "devices" | "transaction">;
  readonly issuerPublicKey: Uint8Array;
  readonly disconnect: (device: DeviceId, reason: TributaryError) => void;
}

const BY_ITSELF: AuditActor = { kind: "device" };

/**
 * `DELETE /v1/populations/:population/device`: a device that a person leaves has its record erased. It shows its certificate, and signs
 * it. The certificate admits nobody from then on, as nothing is known of its device.
 */
export function registerErasureRoute(app: App, options: ErasureRouteOptions): void {
  const { env, store, issuerPublicKey } = options;
  app.delete(
    "/v1/populations/:population/device",
    {
      config: { audience: "device" },
      schema: {
        summary: "Erase the record of the device that asks",
        tags: ["devices"],
        security: [{ device: [] }],
        params: Type.Object({ population: PopulationNameSchema }),
        response: { 200: DeviceErasure },
      },
    },
    async (request, reply) => {
      const certificate = certificateOf(request.headers.authorization);
      // A revoked device stays on record: else it would not be revoked any more.
      const sender = await checkCertificate({ issuerPublicKey, clock: env.clock, store }, certificate);
      const { device, population, publicKey } = sender;
      if (population !== request.params.population) {
        throw failure("identity/wrong-population", `erasure: ${device} is of ${population}`);
      }
      const proof = proofOf(request.headers);
      if (!(await verifySignature(publicKey, proof, erasureMessage(certificate)))) {
        throw failure("identity/invalid-proof", `erasure: the request of ${device} is not signed by its key`);
      }
      const erased = await store.transaction(async (tx) => {
        // Under the name that it has in the audit log: what is there of it goes on to mean one device, and nobody knows which.
        const pseudonym = await auditedDevice(tx.audit, device, env.random);
        if (!(await tx.devices.erase(device, pseudonym))) return false;
        const object = { device: pseudonym, population };
        await tx.audit.append([{ actor: BY_ITSELF, action: "device.erase", object }], env.clock.now());
        return true;
      });
      options.disconnect(
        device,
        failure("identity/invalid-certificate", `erasure: ${device} asked to be forgotten`),
      );
      env.log.info("a device was erased on its request", { population });
      return reply.header("cache-control", "no-store").send({ erased });
    },
  );
}
