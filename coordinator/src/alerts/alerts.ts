import { failure, toFailure, type Env, type Timer } from "@tributary/core";
import {
  alertThreshold,
  type AlertAcknowledge,
  type AlertCounts,
  type AlertKind,
  type AlertList,
  type AlertListQuery,
  type AlertRuleView,
  type AlertView,
  type AuditActor,
  type NewSilence,
  type SilenceView,
} from "@tributary/protocol";
import type { Bus, Subscription } from "../ports/bus.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { AlertRecord, SilenceRecord } from "../ports/alert-records.ts";
import type { EventRecord } from "../ports/event-records.ts";
import { SerialQueue } from "../rounds/serial-queue.ts";
import { EVERY_SUBJECT, requireOperate, type SubjectScope } from "../access/subject-scope.ts";
import { seesRule } from "./sees-rule.ts";
import { alertPage } from "./alert-pages.ts";
import { advanceAlerts } from "./alert-machine.ts";
import { alertAcknowledged, silenceCreated, silenceEnded } from "./alert-records.ts";
import { alertEvent, alertRuleView, alertView, silenceView } from "./alert-views.ts";
import type { AlertSignals } from "./finding.ts";
import { requireKnownMatcher } from "./known-matcher.ts";
import { alertRules, removeAlertRule, setAlertRule, unknownRule, type KnownRule } from "./rules.ts";
import { isMatched, silencedUntil } from "./silences.ts";
import { noticeOf, tellAt } from "../notify/notices.ts";
import type { Notifier } from "../notify/notifier.ts";
import { createWatches } from "./watch/index.ts";

/** How often all rules are looked at. */
export const ALERT_LOOK_MS = 30_000;
/** After an event, the rules that it may concern. */
export const ALERT_EVENT_LOOK_MS = 2_000;
/** Alerts that have resolved are kept so far back. */
export const ALERTS_KEPT = 2_000;
const SILENCES_KEPT_MS = 90 * 86_400_000;
const HOUSEKEEPING_MS = 3_600_000;

/** Kinds of rules that an event may concern. */
const CONCERNED: { readonly [Type in EventRecord["type"]]?: readonly AlertKind[] } = {
  round: ["rounds-fail", "drift", "gate-failed"],
  task: ["rounds-fail", "gate-failed"],
  version: ["accuracy-fell"],
  rollout: ["rollout-failed"],
  channel: ["accuracy-fell"],
};

export interface AlertsContext {
  readonly env: Env;
  readonly store: MetadataStore;
  readonly bus: Bus;
  readonly signals: Omit<AlertSignals, "store" | "busy">;
  /** Who tells alerts elsewhere. */
  readonly notifier: Pick<Notifier, "enqueue" | "wake">;
  /** Reads how busy the process was since it was last read. */
  readonly readBusy: () => number;
}

/**
 * What operators are told of: rules that are looked at, alerts that follow from them, and silences. What is not in the scope of whoever
 * asks is not there for them.
 */
export interface Alerts {
  rules(scope: SubjectScope): Promise<AlertRuleView[]>;
  /** @throws `coordinator/unknown-alert-rule` */
  rule(name: string, scope: SubjectScope): Promise<AlertRuleView>;
  /** @throws `protocol/invalid-document`, `coordinator/too-many-alert-rules` */
  setRule(name: string, document: unknown, by: AuditActor): Promise<AlertRuleView>;
  /** @throws `coordinator/unknown-alert-rule`, `coordinator/alert-rule-unchanged` */
  removeRule(name: string, by: AuditActor): Promise<void>;
  /** @throws `http/invalid-cursor` */
  list(query: AlertListQuery, scope: SubjectScope): Promise<AlertList>;
  /** @throws `coordinator/unknown-alert` */
  get(id: number, scope: SubjectScope): Promise<AlertView>;
  /** @throws `coordinator/unknown-alert`, `coordinator/alert-ended`, `identity/forbidden` */
  acknowledge(
    id: number,
    said: AlertAcknowledge | null,
    by: AuditActor,
    scope: SubjectScope,
  ): Promise<AlertView>;
  silences(scope: SubjectScope): Promise<SilenceView[]>;
  /**
   * @throws `protocol/invalid-document`, `identity/forbidden`, `coordinator/unknown-alert-rule`, `coordinator/unknown-model`,
   *   `coordinator/unknown-task`
   */
  silence(silence: NewSilence, by: AuditActor, scope: SubjectScope): Promise<SilenceView>;
  /** @throws `coordinator/unknown-silence`, `identity/forbidden` */
  endSilence(id: number, by: AuditActor, scope: SubjectScope): Promise<SilenceView>;
  /** Looks from here on by itself. */
  begin(): Promise<void>;
  /** Looks now at rules of these kinds; of all where none are named. */
  look(kinds?: ReadonlySet<AlertKind>): Promise<void>;
  close(): Promise<void>;
}

export function createAlerts(context: AlertsContext): Alerts {
  const { env, store, bus, readBusy, notifier } = context;
  const { clock, log } = env;
  const queue = new SerialQueue();
  const watches = createWatches();
  const looked = new Map<string, { readonly at: number; readonly problem: string | null }>();
  let busy = 0;
  let concerned = new Set<AlertKind>();
  let regular: Timer | undefined;
  let soon: Timer | undefined;
  let telling: Timer | undefined;
  let subscription: Subscription | undefined;
  let tidiedAt = -Infinity;
  let closed = false;
  const signals: AlertSignals = { ...context.signals, store, busy: () => busy };

  const inTurn = <T>(job: () => Promise<T>): Promise<T> =>
    queue.run(() => {
      if (closed) throw failure("core/closed", "alerts: closed");
      return job();
    });

  const announce = async (events: readonly EventRecord[]): Promise<void> => {
    for (const event of events) await bus.publish("event", event);
  };

  const activeSilences = (): Promise<SilenceRecord[]> => store.silences.list({ endsAfter: clock.now() });

  const lookAt = async ({ rule }: KnownRule, open: readonly AlertRecord[]): Promise<void> => {
    const now = clock.now();
    const threshold = alertThreshold(rule) ?? 0;
    const found = rule.enabled ? await watches[rule.kind](signals, rule, { threshold, now }) : [];
    const ofRule = found.filter(
      ({ subject: { model, task } }) =>
        (rule.models.length === 0 || (model !== undefined && rule.models.includes(model))) &&
        (rule.tasks.length === 0 || (task !== undefined && rule.tasks.includes(task))),
    );
    const { insert, update, remove } = advanceAlerts(rule, open, ofRule, now);
    if (insert.length + update.length + remove.length === 0) return;
    const silences = await activeSilences();
    const { events, passing } = await store.transaction(async (tx) => {
      await tx.alerts.remove(remove.map(({ id }) => id));
      for (const alert of update) await tx.alerts.update(alert);
      const inserted: AlertRecord[] = [];
      for (const alert of insert) inserted.push(await tx.alerts.insert(alert));
      const told = [...update, ...inserted].filter(({ state }) => state !== "pending");
      return {
        events: await tx.events.append(
          told.map((alert) => alertEvent(alert, silences, now)),
          now,
        ),
        passing: [
          ...[...update, ...inserted].filter(({ state }) => state === "pending"),
          ...remove.map((alert): AlertRecord => ({ ...alert, state: "resolved", resolvedAt: now })),
        ],
      };
    });
    for (const { rule: name, state, subject, summary } of [...update, ...insert])
      if (state !== "pending")
        log[state === "firing" ? "warn" : "info"](`alert ${state}`, {
          rule: name,
          subject: JSON.stringify(subject),
          summary,
        });
    await announce(events);
    // What is pending is only worth showing now.
    for (const alert of passing) {
      const { type, data } = alertEvent(alert, silences, now);
      await bus.publish("event", { id: null, type, data, at: now });
    }
  };

  const look = async (kinds?: ReadonlySet<AlertKind>): Promise<void> => {
    const rules = await alertRules(store);
    const open = Map.groupBy(await store.alerts.open(), ({ rule }) => rule);
    for (const known of rules) {
      const { name, kind } = known.rule;
      if (kinds !== undefined && !kinds.has(kind)) continue;
      try {
        await lookAt(known, open.get(name) ?? []);
        looked.set(name, { at: clock.now(), problem: null });
      } catch (error) {
        if (closed) return;
        const { code } = toFailure(error);
        looked.set(name, { at: clock.now(), problem: code });
        log.error("alerts: a rule could not be looked at", { rule: name, error });
      }
    }
    if (kinds === undefined) await endAndTidy(rules, open);
    await tell(rules);
  };

  const endAndTidy = async (
    rules: readonly KnownRule[],
    open: ReadonlyMap<string, readonly AlertRecord[]>,
  ): Promise<void> => {
    // Alerts of rules that are gone end with them.
    const names = new Set(rules.map(({ rule }) => rule.name));
    for (const [name, alerts] of open) if (!names.has(name)) await endAll(alerts);
    await tidy();
  };

  /** Queues what is to be told now, rule by rule, each with the alerts that are told by it. */
  const tell = async (rules: readonly KnownRule[]): Promise<void> => {
    telling?.cancel();
    telling = undefined;
    const now = clock.now();
    const firing = (await store.alerts.open()).filter(({ state }) => state === "firing");
    const untold = await store.alerts.untold();
    if (firing.length + untold.length === 0) return;
    const silences = await activeSilences();
    let any = false;
    let next = Infinity;
    for (const name of new Set([...firing, ...untold].map(({ rule }) => rule))) {
      const group = {
        rule: rules.find(({ rule }) => rule.name === name)?.rule ?? { name, repeatMs: Infinity },
        firing: firing.filter(({ rule }) => rule === name),
        untold: untold.filter(({ rule }) => rule === name),
      };
      const notice = noticeOf(group, silences, now);
      if (notice !== undefined)
        any =
          (await store.transaction(async (tx) => {
            const told = await notifier.enqueue(tx, name, notice);
            // Where nobody is told that it fires, whoever asks to be told later is.
            if (told || notice.status === "resolved")
              for (const alert of notice.told) await tx.alerts.update(alert);
            return told;
          })) || any;
      const at = tellAt(group);
      if (at !== undefined && at > now) next = Math.min(next, at);
    }
    if (any) notifier.wake();
    if (next === Infinity || closed) return;
    telling = clock.schedule(next - now, () => void run(new Set()));
  };

  const endAll = async (alerts: readonly AlertRecord[]): Promise<void> => {
    const now = clock.now();
    const pending = alerts.filter(({ state }) => state === "pending");
    const ended = alerts
      .filter(({ state }) => state === "firing")
      .map((alert): AlertRecord => ({ ...alert, state: "resolved", resolvedAt: now }));
    const events = await store.transaction(async (tx) => {
      await tx.alerts.remove(pending.map(({ id }) => id));
      for (const alert of ended) await tx.alerts.update(alert);
      return tx.events.append(
        ended.map((alert) => alertEvent(alert, [], now)),
        now,
      );
    });
    await announce(events);
  };

  const tidy = async (): Promise<void> => {
    const now = clock.now();
    if (now - tidiedAt < HOUSEKEEPING_MS) return;
    tidiedAt = now;
    await store.alerts.prune(ALERTS_KEPT);
    await store.silences.prune(now - SILENCES_KEPT_MS);
  };

  const run = (kinds?: ReadonlySet<AlertKind>): Promise<void> =>
    inTurn(() => look(kinds)).catch((error: unknown) => {
      if (!closed) log.error("alerts: rules could not be looked at", { error });
    });

  const later = (): void => {
    // How busy a start is says nothing, and a look that somebody asks for comes too soon after another.
    readBusy();
    regular = clock.schedule(ALERT_LOOK_MS, () => {
      busy = readBusy();
      void run().finally(() => {
        if (!closed) later();
      });
    });
  };

  const concern = (type: EventRecord["type"]): void => {
    for (const kind of CONCERNED[type] ?? []) concerned.add(kind);
    if (concerned.size === 0 || soon !== undefined || closed) return;
    soon = clock.schedule(ALERT_EVENT_LOOK_MS, () => {
      soon = undefined;
      const kinds = concerned;
      concerned = new Set();
      void run(kinds);
    });
  };

  const ruleView = ({ rule, origin }: KnownRule, open: readonly AlertRecord[]): AlertRuleView => {
    const { at = null, problem = null } = looked.get(rule.name) ?? {};
    return alertRuleView(rule, { origin, open, checkedAt: at, problem });
  };

  const ruleOf = async (name: string, scope: SubjectScope): Promise<AlertRuleView> => {
    const known = (await alertRules(store)).find(({ rule }) => rule.name === name);
    if (known === undefined || !seesRule(scope, known.rule)) throw unknownRule(name);
    return ruleView(known, seen(scope, await store.alerts.open(name)));
  };

  const alertOf = async (id: number, scope: SubjectScope): Promise<AlertRecord> => {
    const alert = await store.alerts.get(id);
    if (alert !== undefined && scope("view", alert.subject)) return alert;
    throw failure("coordinator/unknown-alert", `alerts: no alert ${id}`, { detail: { alert: id } });
  };

  /** Told anew of alerts that a silence that began or ended holds for. */
  const silenceChanged = async (silence: SilenceRecord): Promise<void> => {
    const silences = await activeSilences();
    const now = clock.now();
    const alerts = (await store.alerts.open()).filter(
      (alert) => alert.state === "firing" && isMatched(silence, alert),
    );
    await announce(
      await store.events.append(
        alerts.map((alert) => alertEvent(alert, silences, now)),
        now,
      ),
    );
  };

  return {
    async rules(scope) {
      const open = Map.groupBy(seen(scope, await store.alerts.open()), ({ rule }) => rule);
      return (await alertRules(store))
        .filter(({ rule }) => seesRule(scope, rule))
        .map((known) => ruleView(known, open.get(known.rule.name) ?? []));
    },
    rule: ruleOf,
    setRule: (name, document, by) =>
      inTurn(async () => {
        const rule = await setAlertRule(context, name, document, by);
        log.info("alerts: rule set", { rule: name, enabled: rule.enabled });
        await look(new Set([rule.kind]));
        // Rules are for whoever operates all models.
        return ruleOf(name, EVERY_SUBJECT);
      }),
    removeRule: (name, by) =>
      inTurn(async () => {
        await removeAlertRule(context, name, by);
        log.info("alerts: rule removed", { rule: name });
        await look();
      }),

    async list(asked, scope) {
      const { state, rule, model, task } = asked;
      const now = clock.now();
      const silences = await activeSilences();
      const open = seen(scope, await store.alerts.open());
      const isWanted = ({ subject, ...alert }: AlertRecord): boolean =>
        (state ?? alert.state) === alert.state &&
        (rule ?? alert.rule) === alert.rule &&
        (model === undefined || subject.model === model) &&
        (task === undefined || subject.task === task) &&
        scope("view", subject);
      const { rows, next } = await alertPage(asked, open, store.alerts, isWanted);
      return {
        alerts: rows.map((alert) => alertView(alert, silences, now)),
        counts: countsOf(open, silences, now),
        next,
      };
    },
    get: async (id, scope) => alertView(await alertOf(id, scope), await activeSilences(), clock.now()),
    acknowledge: (id, said, by, scope) =>
      inTurn(async () => {
        const now = clock.now();
        const before = await alertOf(id, scope);
        requireOperate(scope, before.subject, `alerts: alert ${id} of`);
        if (before.state !== "firing")
          throw failure("coordinator/alert-ended", `alerts: alert ${id} is ${before.state}`, {
            detail: { alert: id, state: before.state },
          });
        const acknowledgement = said && { by: nameOf(by), comment: said.comment, at: now };
        const after: AlertRecord = { ...before, acknowledgement };
        const silences = await activeSilences();
        const events = await store.transaction(async (tx) => {
          await tx.alerts.update(after);
          await tx.audit.append([alertAcknowledged(by, after)], now);
          return tx.events.append([alertEvent(after, silences, now)], now);
        });
        await announce(events);
        return alertView(after, silences, now);
      }),

    async silences(scope) {
      const now = clock.now();
      const all = await store.silences.list({ endsAfter: now - SILENCES_KEPT_MS });
      const views = all
        .filter(({ matcher }) => scope("view", matcher))
        .map((silence) => silenceView(silence, now));
      return [
        ...views.filter(({ state }) => state !== "ended"),
        ...views.filter(({ state }) => state === "ended").toReversed(),
      ].slice(0, MAX_SILENCES_SHOWN);
    },
    silence: ({ matcher, durationMs, startsAt, comment }, by, scope) =>
      inTurn(async () => {
        requireOperate(scope, matcher, "alerts: a silence of");
        await requireKnownMatcher(store, matcher);
        const now = clock.now();
        const begins = startsAt === undefined ? now : Date.parse(startsAt);
        if (begins < now - durationMs)
          throw failure("protocol/invalid-document", "alerts: the silence would have ended already", {
            detail: { document: "silence", path: "/startsAt", problem: "it would have ended already" },
          });
        const silence = await store.transaction(async (tx) => {
          const made = await tx.silences.insert({
            matcher,
            startsAt: begins,
            endsAt: begins + durationMs,
            by: nameOf(by),
            comment,
          });
          await tx.audit.append([silenceCreated(by, made)], now);
          return made;
        });
        await silenceChanged(silence);
        return silenceView(silence, now);
      }),
    endSilence: (id, by, scope) =>
      inTurn(async () => {
        const now = clock.now();
        const silence = await store.silences.get(id);
        if (silence === undefined || !scope("view", silence.matcher))
          throw failure("coordinator/unknown-silence", `alerts: no silence ${id}`, {
            detail: { silence: id },
          });
        requireOperate(scope, silence.matcher, `alerts: silence ${id} of`);
        if (silence.endsAt <= now) return silenceView(silence, now);
        await store.transaction(async (tx) => {
          await tx.silences.end(id, now);
          await tx.audit.append([silenceEnded(by, silence)], now);
        });
        const ended = { ...silence, endsAt: now };
        await silenceChanged(ended);
        return silenceView(ended, now);
      }),

    async begin() {
      subscription = bus.subscribe("event", ({ id, type }) => {
        if (id !== null && type !== "alert") concern(type);
      });
      later();
      await run();
    },
    look: (kinds) => inTurn(() => look(kinds)),
    async close() {
      closed = true;
      subscription?.close();
      regular?.cancel();
      soon?.cancel();
      telling?.cancel();
      await queue.idle();
    },
  };
}

/** Who did it, where the log knows a name. */
function nameOf(actor: AuditActor): string {
  return (actor.kind === "operator" ? actor.name : undefined) ?? "an operator";
}

const MAX_SILENCES_SHOWN = 200;

function seen(scope: SubjectScope, alerts: readonly AlertRecord[]): AlertRecord[] {
  return alerts.filter(({ subject }) => scope("view", subject));
}

function countsOf(
  open: readonly AlertRecord[],
  silences: readonly SilenceRecord[],
  now: number,
): AlertCounts {
  const firing = open.filter(({ state }) => state === "firing");
  return {
    firing: firing.length,
    critical: firing.filter(({ severity }) => severity === "critical").length,
    pending: open.length - firing.length,
    unacknowledged: firing.filter(
      (alert) => alert.acknowledgement === null && silencedUntil(silences, alert, now) === null,
    ).length,
  };
}
