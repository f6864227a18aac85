import {
  asDeviceId,
  encodeHex,
  type DeviceId,
  type RoundId,
  type SecureRandom,
  type TaskName,
} from "@tributary/core";
import type { AuditActor } from "@tributary/protocol";
import type { AuditRepository } from "../ports/audit-repository.ts";

// Who a record of the audit log names.

type Operator = Extract<AuditActor, { kind: "operator" }>;

/** Who can write the data directory. */
export const OPERATOR_BY_FILES: AuditActor = Object.freeze<Operator>({ kind: "operator", via: "files" });
/** Who runs the process: it called the coordinator's own functions, or configured what follows at its start. */
export const OPERATOR_BY_PROCESS: AuditActor = Object.freeze<Operator>({ kind: "operator", via: "process" });

/** The coordinator by itself, and what for. */
export function coordinatorFor(
  cause: { readonly task?: TaskName; readonly round?: RoundId } = {},
): AuditActor {
  return { kind: "coordinator", ...cause };
}

/**
 * The name under which a device stands in the audit log: random, the same in every record of it, and not to be led back to the
 * device once it was erased.
 */
export async function auditedDevice(
  audit: Pick<AuditRepository, "pseudonym" | "setPseudonym">,
  device: DeviceId,
  random: SecureRandom,
): Promise<DeviceId> {
  const known = await audit.pseudonym(device);
  return known ?? audit.setPseudonym(device, asDeviceId(encodeHex(random.bytes(16))));
}
