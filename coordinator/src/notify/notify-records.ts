import type { AuditActor, NewAuditRecord } from "@tributary/protocol";
import type { NotificationChannelRecord } from "../ports/alert-records.ts";

// What the audit log says of notification channels: never where a webhook leads, which is a secret itself, nor who is written to.

type Channel = NotificationChannelRecord["channel"];

export function channelSet(actor: AuditActor, { name, target, ...channel }: Channel): NewAuditRecord {
  const { enabled, minimumSeverity, rules, resolved } = channel;
  return {
    actor,
    action: "notification-channel.set",
    object: { notificationChannel: name },
    detail: {
      kind: target.kind,
      enabled,
      minimumSeverity,
      rules: [...rules],
      resolved,
      ...(target.kind === "email"
        ? { host: target.host, port: target.port, security: target.security, recipients: target.to.length }
        : {}),
    },
  };
}

export function channelRemoved(actor: AuditActor, name: string): NewAuditRecord {
  return { actor, action: "notification-channel.remove", object: { notificationChannel: name } };
}

export function channelTested(actor: AuditActor, { name, target }: Channel): NewAuditRecord {
  return {
    actor,
    action: "notification-channel.test",
    object: { notificationChannel: name },
    detail: { kind: target.kind },
  };
}
