import {
  ALERT_KIND_FACTS,
  alertThreshold,
  type AlertRule,
  type AlertRuleView,
  type AlertView,
  type SilenceView,
} from "@tributary/protocol";
import type { AlertRecord, SilenceRecord } from "../ports/alert-records.ts";
import type { NewEvent } from "../ports/event-records.ts";
import type { JsonValue } from "../ports/json.ts";
import { optionalTimestamp, timestamp } from "../registry/views.ts";
import { silencedUntil } from "./silences.ts";

export function alertView(record: AlertRecord, silences: readonly SilenceRecord[], now: number): AlertView {
  const { fingerprint: _, told: __, toldAt, acknowledgement, ...rest } = record;
  const { pendingSince, firingSince, resolvedAt } = rest;
  return {
    ...rest,
    pendingSince: timestamp(pendingSince),
    firingSince: optionalTimestamp(firingSince),
    resolvedAt: optionalTimestamp(resolvedAt),
    acknowledgement: acknowledgement && { ...acknowledgement, at: timestamp(acknowledgement.at) },
    silencedUntil: optionalTimestamp(resolvedAt === null ? silencedUntil(silences, record, now) : null),
    toldAt: optionalTimestamp(toldAt),
  };
}

export function alertEvent(record: AlertRecord, silences: readonly SilenceRecord[], now: number): NewEvent {
  return { type: "alert", data: alertView(record, silences, now) as unknown as JsonValue };
}

export function silenceView(
  { id, matcher, startsAt, endsAt, by, comment }: SilenceRecord,
  now: number,
): SilenceView {
  return {
    id,
    matcher,
    state: now >= endsAt ? "ended" : now < startsAt ? "ahead" : "active",
    startsAt: timestamp(startsAt),
    endsAt: timestamp(endsAt),
    by,
    comment,
  };
}

export function alertRuleView(
  rule: AlertRule,
  state: {
    readonly origin: AlertRuleView["origin"];
    readonly open: readonly AlertRecord[];
    readonly checkedAt: number | null;
    readonly problem: string | null;
  },
): AlertRuleView {
  const { watches, threshold } = ALERT_KIND_FACTS[rule.kind];
  const firing = state.open.some((alert) => alert.state === "firing");
  return {
    ...rule,
    origin: state.origin,
    appliedThreshold: alertThreshold(rule),
    unit: threshold?.unit ?? null,
    watches,
    state: !rule.enabled ? "disabled" : firing ? "firing" : state.open.length > 0 ? "pending" : "quiet",
    checkedAt: optionalTimestamp(state.checkedAt),
    problem: state.problem,
  };
}
