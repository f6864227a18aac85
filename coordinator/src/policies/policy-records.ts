import { encodeUtf8, sha256 } from "@tributary/core";
import {
  canonicalText,
  type AuditActor,
  type JsonDocument,
  type NewAuditRecord,
  type Policy,
} from "@tributary/protocol";
import type { PolicyDecisionRecord } from "../ports/records.ts";

// What the audit log says of policies.

export function policySet(actor: AuditActor, policy: Policy): NewAuditRecord {
  const { name, enabled, dryRun, cooldownMs, does } = policy;
  return {
    actor,
    action: "policy.set",
    object: { policy: name },
    detail: {
      kind: does.kind,
      enabled,
      dryRun,
      cooldownMs,
      document: sha256(encodeUtf8(canonicalText(policy as unknown as JsonDocument))),
    },
  };
}

export function policyRemoved(actor: AuditActor, name: string): NewAuditRecord {
  return { actor, action: "policy.remove", object: { policy: name } };
}

/** A decision, with what it rests on. */
export function policyDecided(
  actor: AuditActor,
  { policy, outcome, reason, object: { model, version, task }, rounds, evidence }: PolicyDecisionRecord,
): NewAuditRecord {
  return {
    actor,
    action: "policy.decide",
    object: { policy, ...(model && { model }), ...(version && { version }), ...(task && { task }) },
    detail: { outcome, reason, rounds, evidence: { ...evidence } },
  };
}
