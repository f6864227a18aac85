import { encodeUtf8, sha256, type ModelName } from "@tributary/core";
import {
  canonicalText,
  type AuditActor,
  type JsonDocument,
  type NewAuditRecord,
  type Policy,
} from "@tributary/protocol";
import type { PolicyDecisionRecord } from "../ports/alert-records.ts";
import { policyAbout } from "./policy-scope.ts";

// What the audit log says of policies.

/** @param model of what it changes */
export function policySet(actor: AuditActor, policy: Policy, model: ModelName | undefined): NewAuditRecord {
  const { enabled, dryRun, cooldownMs, does } = policy;
  return {
    actor,
    action: "policy.set",
    object: objectOf(policy, model),
    detail: {
      kind: does.kind,
      enabled,
      dryRun,
      cooldownMs,
      document: sha256(encodeUtf8(canonicalText(policy as unknown as JsonDocument))),
    },
  };
}

export function policyRemoved(
  actor: AuditActor,
  policy: Policy,
  model: ModelName | undefined,
): NewAuditRecord {
  return { actor, action: "policy.remove", object: objectOf(policy, model) };
}

/** With the model and the task that it changes: whoever may see these sees the record. */
function objectOf(policy: Policy, model: ModelName | undefined): NewAuditRecord["object"] {
  return { policy: policy.name, ...policyAbout(policy), ...(model && { model }) };
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
