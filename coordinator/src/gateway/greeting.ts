import { failure, type Clock } from "@tributary/core";
import {
  checkVersion,
  helloMessage,
  verifyCertificate,
  verifySignature,
  type Hello,
} from "@tributary/protocol";
import { leafHashOf } from "../enrolment/certificate-tree.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { CertificateLogRepository } from "../ports/release-repositories.ts";
import type { DeviceRecord } from "../ports/device-records.ts";
import type { ConnectedDevice } from "./gateway-types.ts";

export interface GreetingOptions {
  readonly issuerPublicKey: Uint8Array;
  readonly clock: Pick<Clock, "now">;
  readonly store: Pick<MetadataStore, "certificateLog" | "devices">;
}

/**
 * Who sent a hello: the certificate is ours and valid, the device known and not revoked, and it holds the key.
 *
 * @throws `protocol/client-too-old`, `protocol/server-too-old`, `identity/*`
 */
export async function checkHello(
  options: GreetingOptions,
  nonce: Uint8Array,
  hello: Hello,
): Promise<ConnectedDevice> {
  checkVersion(hello.version);
  const device = await checkCertificate(options, hello.certificate);
  const message = helloMessage(nonce, hello.certificate);
  if (!(await verifySignature(device.publicKey, hello.signature, message))) {
    throw failure("identity/invalid-proof", `gateway: hello of ${device.device} is not signed by its key`);
  }
  return { device: device.device, population: device.population };
}

/** A certificate that holds now, for a device that is enrolled here. @throws `identity/*` */
export async function checkCertificate(
  { issuerPublicKey, clock, store }: GreetingOptions,
  certificate: Uint8Array,
): Promise<ConnectedDevice & { readonly publicKey: Uint8Array }> {
  const { deviceId, population, publicKey } = await verifyCertificate(
    certificate,
    issuerPublicKey,
    clock.now(),
  );
  const known = await store.devices.get(deviceId);
  if (known === undefined) {
    throw failure("identity/invalid-certificate", `identity: device ${deviceId} is not enrolled here`);
  }
  if (known.state !== "active" || (await isRefusedCertificate(store.certificateLog, known, certificate))) {
    throw failure("identity/revoked", `identity: device ${deviceId} was revoked`, { detail: { deviceId } });
  }
  return { device: deviceId, population, publicKey };
}

/** Whether a certificate is one of those that a device had when it was revoked: it may have another by now. */
export async function isRefusedCertificate(
  log: Pick<CertificateLogRepository, "indicesOf">,
  { refusedBefore }: Pick<DeviceRecord, "refusedBefore">,
  certificate: Uint8Array,
): Promise<boolean> {
  if (refusedBefore === null) return false;
  const leaf = leafHashOf(certificate);
  const index = (await log.indicesOf([leaf])).get(leaf);
  return index !== undefined && index < refusedBefore;
}
