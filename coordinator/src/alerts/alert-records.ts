import { encodeUtf8, sha256 } from "@tributary/core";
import {
  canonicalText,
  type AlertRule,
  type AuditActor,
  type JsonDocument,
  type NewAuditRecord,
} from "@tributary/protocol";
import type { AlertRecord, SilenceRecord } from "../ports/alert-records.ts";

// What the audit log says of alerts.

/** A rule, by its digest and what decides whether somebody is woken. */
export function alertRuleSet(actor: AuditActor, rule: AlertRule): NewAuditRecord {
  const { name, kind, enabled, severity, threshold, forMs } = rule;
  const digest = sha256(encodeUtf8(canonicalText(rule as unknown as JsonDocument)));
  return {
    actor,
    action: "alert-rule.set",
    object: { rule: name },
    detail: { kind, enabled, severity, threshold, forMs, document: digest },
  };
}

export function alertRuleRemoved(actor: AuditActor, rule: string): NewAuditRecord {
  return { actor, action: "alert-rule.remove", object: { rule } };
}

export function alertAcknowledged(
  actor: AuditActor,
  { id, rule, subject, acknowledgement }: AlertRecord,
): NewAuditRecord {
  const { model, task } = subject;
  const object = { rule, alert: id, ...(model && { model }), ...(task && { task }) };
  if (acknowledgement === null) return { actor, action: "alert.unacknowledge", object };
  const { by, comment } = acknowledgement;
  return { actor, action: "alert.acknowledge", object, detail: { by, comment } };
}

export function silenceCreated(actor: AuditActor, silence: SilenceRecord): NewAuditRecord {
  const { by, comment, startsAt, endsAt } = silence;
  const at = (ms: number): string => new Date(ms).toISOString();
  return {
    actor,
    action: "alert-silence.create",
    object: objectOf(silence),
    detail: { by, comment, startsAt: at(startsAt), endsAt: at(endsAt), kind: silence.matcher.kind ?? null },
  };
}

export function silenceEnded(actor: AuditActor, silence: SilenceRecord): NewAuditRecord {
  return { actor, action: "alert-silence.end", object: objectOf(silence) };
}

function objectOf({ id, matcher }: SilenceRecord): NewAuditRecord["object"] {
  const { rule, model, task } = matcher;
  return { silence: id, ...(rule && { rule }), ...(model && { model }), ...(task && { task }) };
}
