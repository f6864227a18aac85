import { createHmac, timingSafeEqual } from "node:crypto";
import { digest, encode, roundId, struct, text, u16, u53, type Digest, type RoundId } from "@tributary/core";
import type { SecureStepName } from "@tributary/protocol";

/** What one capability opens: one member's one step, for a time. */
export interface Grant {
  readonly roundId: RoundId;
  readonly step: SecureStepName;
  readonly member: number;
  /** Of what the member gets. */
  readonly digest: Digest;
  /** Ms since the epoch: then it is over. */
  readonly deadlineMs: number;
  /** Most bytes the member may put. */
  readonly maxBytes: number;
}

const Claims = struct({
  purpose: text({ max: 64 }),
  roundId,
  step: text({ max: 16 }),
  member: u16,
  digest,
  deadlineMs: u53,
  maxBytes: u53,
});

/** HMAC-SHA-256 under a key that lives as long as the cohort. */
export function capabilityOf(key: Uint8Array, grant: Grant): Uint8Array<ArrayBuffer> {
  const claims = encode(Claims, { purpose: "tributary-secure-step-v1", ...grant });
  return new Uint8Array(createHmac("sha256", key).update(claims).digest());
}

export function opensGrant(key: Uint8Array, grant: Grant, capability: Uint8Array): boolean {
  return capability.length === 32 && timingSafeEqual(capability, capabilityOf(key, grant));
}
