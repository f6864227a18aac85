import type { AlertRule, Notification } from "@tributary/protocol";
import { alertView } from "../alerts/alert-views.ts";
import { silencedUntil } from "../alerts/silences.ts";
import type { AlertRecord, NotificationChannelRecord, SilenceRecord } from "../ports/alert-records.ts";

/** So long more alerts of a rule are waited for, to be told together. */
export const GROUP_WAIT_MS = 10_000;
/** Alerts that one notification holds. */
const MOST_ALERTS = 50;

/** What is to be told of one rule now, and the alerts as they are once that is so. */
export interface Notice {
  readonly status: Notification["status"];
  readonly alerts: readonly AlertRecord[];
  readonly told: readonly AlertRecord[];
}

/** Of a rule: its alerts that fire, and those that have resolved since it was last told. */
export interface Group {
  readonly rule: Pick<AlertRule, "name" | "repeatMs">;
  readonly firing: readonly AlertRecord[];
  readonly untold: readonly AlertRecord[];
}

/**
 * Whether a rule's alerts are to be told now: one began to fire and others had time to join it, one goes on and nobody said that they have
 * seen it, or one resolved. A silence keeps both back; who was told that it fires, and not that it has resolved, finds it in the list.
 */
export function noticeOf(
  { rule, firing, untold }: Group,
  silences: readonly SilenceRecord[],
  now: number,
): Notice | undefined {
  const heard = firing.filter((alert) => silencedUntil(silences, alert, now) === null);
  const isNew = (alert: AlertRecord): boolean =>
    alert.told === null &&
    alert.acknowledgement === null &&
    now - (alert.firingSince ?? now) >= GROUP_WAIT_MS;
  const isDue = (alert: AlertRecord): boolean =>
    alert.told === "firing" && alert.acknowledgement === null && now - (alert.toldAt ?? now) >= rule.repeatMs;
  const told = untold.map((alert): AlertRecord => ({ ...alert, told: "resolved", toldAt: now }));
  const resolved = untold.filter((alert) => silencedUntil(silences, alert, now) === null);
  if (heard.some(isNew) || heard.some(isDue)) {
    // All that fire and are not yet acknowledged are told together.
    const together = heard.filter(({ acknowledgement }) => acknowledgement === null);
    return {
      status: "firing",
      alerts: [...together, ...resolved],
      told: [...together.map((alert): AlertRecord => ({ ...alert, told: "firing", toldAt: now })), ...told],
    };
  }
  if (resolved.length > 0) return { status: "resolved", alerts: resolved, told };
  return told.length === 0 ? undefined : { status: "resolved", alerts: [], told };
}

/** When the first of a rule's alerts that are not told yet may be. */
export function tellAt({ firing }: Group): number | undefined {
  const waits = firing.filter(({ told, acknowledgement }) => told === null && acknowledgement === null);
  return waits.length === 0
    ? undefined
    : Math.min(...waits.map(({ firingSince }) => firingSince ?? 0)) + GROUP_WAIT_MS;
}

const RANK = { info: 0, warning: 1, critical: 2 } as const;

/** The worst of the alerts. */
export function severityOf(alerts: readonly Pick<AlertRecord, "severity">[]): AlertRecord["severity"] {
  return alerts.reduce<AlertRecord["severity"]>(
    (worst, { severity }) => (RANK[severity] > RANK[worst] ? severity : worst),
    "info",
  );
}

/** Whether a channel is told of a notice of a rule. */
export function isTold(
  { channel }: Pick<NotificationChannelRecord, "channel">,
  rule: string,
  { status, alerts }: Pick<Notice, "status" | "alerts">,
): boolean {
  if (!channel.enabled || alerts.length === 0) return false;
  if (channel.rules.length > 0 && !channel.rules.includes(rule)) return false;
  if (status === "resolved" && !channel.resolved) return false;
  return RANK[severityOf(alerts)] >= RANK[channel.minimumSeverity];
}

/** What is sent. */
export function notificationOf(
  rule: string,
  { status, alerts }: Pick<Notice, "status" | "alerts">,
  more: {
    readonly id: string;
    readonly coordinator: string;
    readonly url: string | null;
    readonly now: number;
  },
): Notification {
  const { id, coordinator, url, now } = more;
  const [first] = alerts;
  return {
    formatVersion: 1,
    id,
    purpose: "alert",
    status,
    coordinator,
    url,
    rule,
    severity: severityOf(alerts),
    summary: first?.summary ?? "",
    at: new Date(now).toISOString(),
    alerts: alerts.slice(0, MOST_ALERTS).map((alert) => alertView(alert, [], now)),
    more: Math.max(0, alerts.length - MOST_ALERTS),
  };
}
