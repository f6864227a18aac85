import { failure, type DeviceId, type Env, type TributaryError } from "@tributary/core";
import type { AuditActor } from "@tributary/protocol";
import { auditedDevice } from "../audit/actors.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { DeviceRecord } from "../ports/device-records.ts";

export interface RevocationOptions {
  readonly env: Pick<Env, "clock" | "random" | "log">;
  readonly store: Pick<MetadataStore, "transaction">;
  readonly disconnect: (device: DeviceId, reason: TributaryError) => void;
}

/**
 * Refuses a device from here on, everywhere: its session ends within a second, and none of the certificates that it has, or had, admits
 * it again. What it did stays, and so does its record: else it would not be revoked any more. Doing it again changes nothing.
 *
 * @throws `identity/unknown-device`
 */
export async function revokeDevice(
  { env, store, disconnect }: RevocationOptions,
  actor: AuditActor,
  deviceId: DeviceId,
  reason: string,
): Promise<void> {
  const changed = await store.transaction(async (tx) => {
    const device = await known(tx, deviceId);
    if (device.state === "revoked") return false;
    await tx.devices.setState(deviceId, "revoked", await tx.certificateLog.size());
    await tx.audit.append(
      [
        {
          actor,
          action: "device.revoke",
          object: await objectOf(tx, device, env),
          detail: { was: device.state, reason },
        },
      ],
      env.clock.now(),
    );
    return true;
  });
  // Also where it was revoked before: nothing that is revoked has a session.
  disconnect(deviceId, failure("identity/revoked", `fleet: device ${deviceId} was revoked`));
  if (changed) env.log.info("a device was revoked", { device: deviceId });
}

/**
 * Lets a revoked device enrol again, with a token and by its old key: it is refused until it does, and its earlier certificates for good.
 *
 * @throws `identity/unknown-device`, `identity/not-revoked`
 */
export async function readmitDevice(
  { env, store }: Pick<RevocationOptions, "env" | "store">,
  actor: AuditActor,
  deviceId: DeviceId,
): Promise<void> {
  await store.transaction(async (tx) => {
    const device = await known(tx, deviceId);
    if (device.state === "active")
      throw failure("identity/not-revoked", `fleet: device ${deviceId} is not revoked`, {
        detail: { deviceId },
      });
    if (device.state === "readmitted") return;
    await tx.devices.setState(deviceId, "readmitted");
    await tx.audit.append(
      [{ actor, action: "device.readmit", object: await objectOf(tx, device, env) }],
      env.clock.now(),
    );
  });
  env.log.info("a revoked device may enrol again", { device: deviceId });
}

async function known({ devices }: MetadataRepositories, deviceId: DeviceId): Promise<DeviceRecord> {
  const device = await devices.get(deviceId);
  if (device !== undefined) return device;
  throw failure("identity/unknown-device", `fleet: no device ${deviceId} is enrolled here`, {
    detail: { deviceId },
  });
}

async function objectOf(
  { audit }: MetadataRepositories,
  { deviceId, population }: DeviceRecord,
  { random }: Pick<Env, "random">,
) {
  return { device: await auditedDevice(audit, deviceId, random), population };
}
