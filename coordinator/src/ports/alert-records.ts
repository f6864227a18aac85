import type { ModelName, ModelVersion, TaskName } from "@tributary/core";
import type {
  AlertRule,
  AlertState,
  AlertSubject,
  DeliveryState,
  Notification,
  NotificationChannel,
  NotificationTargetView,
  Policy,
  PolicyOutcome,
  SilenceMatcher,
} from "@tributary/protocol";

/** An alert rule that an operator made, or has otherwise than it is built in. */
export interface AlertRuleRecord {
  readonly rule: AlertRule;
  readonly changedAt: number;
}

/** An alert, from its first being found. Times are ms since the epoch. */
export interface AlertRecord {
  /** Grows, and is never used twice. */
  readonly id: number;
  readonly rule: string;
  readonly kind: AlertRule["kind"];
  readonly severity: AlertRule["severity"];
  readonly state: AlertState;
  readonly subject: AlertSubject;
  /** Of rule and subject: at most one alert of each has not resolved. */
  readonly fingerprint: string;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly summary: string;
  readonly advice: string;
  readonly pendingSince: number;
  readonly firingSince: number | null;
  readonly resolvedAt: number | null;
  readonly acknowledgement: AlertAcknowledgementRecord | null;
  /** What was last told of it; null: nothing. */
  readonly told: "firing" | "resolved" | null;
  readonly toldAt: number | null;
}

export interface AlertAcknowledgementRecord {
  readonly by: string;
  readonly comment: string;
  readonly at: number;
}

/** Alerts that match are told to nobody meanwhile. */
export interface SilenceRecord {
  readonly id: number;
  readonly matcher: SilenceMatcher;
  readonly startsAt: number;
  readonly endsAt: number;
  readonly by: string;
  readonly comment: string;
}

/** Where alerts are told. */
export interface NotificationChannelRecord {
  /** As operators see it: what is secret is only named. */
  readonly channel: Omit<NotificationChannel, "target"> & { readonly target: NotificationTargetView };
  /** What operators wrote, by the field of the target: in no answer, log or record. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly changedAt: number;
}

/** A notification on its way to one channel, and what became of it. Times are ms since the epoch. */
export interface DeliveryRecord {
  readonly id: string;
  /** Grows: the order of their coming. */
  readonly sequence: number;
  readonly channel: string;
  readonly notification: Notification;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly createdAt: number;
  /** When it is tried next; null: it is not. */
  readonly nextAt: number | null;
  readonly endedAt: number | null;
  readonly lastError: string | null;
}

/** What decides without an operator. */
export interface PolicyRecord {
  readonly policy: Policy;
  readonly changedAt: number;
}

/** What a policy decided, once on the same evidence. */
export interface PolicyDecisionRecord {
  /** Its name; `task:NAME` is the release policy of a task. */
  readonly policy: string;
  /** Names the evidence. */
  readonly key: string;
  readonly outcome: PolicyOutcome;
  readonly object: {
    readonly model: ModelName | null;
    readonly version: ModelVersion | null;
    readonly task: TaskName | null;
  };
  readonly evidence: Readonly<Record<string, string | number | boolean | null>>;
  readonly reason: string;
  /** That a task was given. */
  readonly rounds: number;
  readonly at: number;
}
