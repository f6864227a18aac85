import type { AlertView } from "@tributary/api-client";
import { useInfiniteQuery } from "@tanstack/react-query";
import { type ReactNode, useId, useState } from "react";
import { Link } from "wouter";
import { ALL_MODELS, useCan } from "../../data/permissions.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { alertHref, alertState } from "../../model/alert-words.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { CheckIcon, WarningIcon } from "../../ui/icons.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { MoreButton } from "../../ui/more-button.tsx";

/** What fires, what is about to, and what did. */
export function AlertList(): ReactNode {
  const query = useInfiniteQuery(useDashboard().queries.alerts());
  return (
    <Loaded query={query}>
      {({ alerts }) => {
        const open = alerts.filter(({ state }) => state !== "resolved");
        const past = alerts.filter(({ state }) => state === "resolved");
        return (
          <>
            {open.length === 0 ? <Calm /> : <Alerts title="Now" alerts={open} />}
            {past.length > 0 && <Alerts title="Before" alerts={past} />}
            <MoreButton query={query}>Show older alerts</MoreButton>
          </>
        );
      }}
    </Loaded>
  );
}

function Calm(): ReactNode {
  return (
    <section className="card all-well" aria-label="State" data-testid="no-alerts">
      <span className="all-well-mark">
        <CheckIcon />
      </span>
      <div>
        <h2>Nothing fires</h2>
        <p className="quiet">Every rule was looked at within the last minute.</p>
      </div>
    </section>
  );
}

function Alerts({
  title,
  alerts,
}: {
  readonly title: string;
  readonly alerts: readonly AlertView[];
}): ReactNode {
  const id = useId();
  return (
    <section className="card" aria-labelledby={id}>
      <div className="card-head">
        <h2 id={id}>{title}</h2>
      </div>
      <ul className="alerts">
        {alerts.map((alert) => (
          <AlertItem key={alert.id} alert={alert} />
        ))}
      </ul>
    </section>
  );
}

function AlertItem({ alert }: { readonly alert: AlertView }): ReactNode {
  const now = useServerNow(15_000);
  const { state, severity, summary, advice, rule, acknowledgement, resolvedAt } = alert;
  const since = resolvedAt ?? alert.firingSince ?? alert.pendingSince;
  const href = alertHref(alert);
  const words = alertState(alert);
  return (
    <li className="alert" data-severity={severity} data-state={words} data-testid="alert" data-rule={rule}>
      {state === "resolved" ? <CheckIcon /> : <WarningIcon />}
      <div className="alert-text">
        <p className="alert-head">
          <strong>{href === undefined ? summary : <Link href={href}>{summary}</Link>}</strong>
          <span className="pill" data-state={words}>
            {words}
          </span>
        </p>
        {state !== "resolved" && <p className="quiet">{advice}</p>}
        <p className="alert-more">
          {severity}, by the rule {rule}, {state === "resolved" ? "resolved " : "began "}
          <time dateTime={since} title={formatFull(since)}>
            {formatAgo(Date.parse(since), now)}
          </time>
          {acknowledgement !== null &&
            `; seen by ${acknowledgement.by}${acknowledgement.comment === "" ? "" : `: ${acknowledgement.comment}`}`}
        </p>
      </div>
      {state === "firing" && (
        <div className="alert-buttons">
          {acknowledgement === null ? <Acknowledge alert={alert} /> : <Unacknowledge alert={alert} />}
          <Silence alert={alert} />
        </div>
      )}
    </li>
  );
}

/** Whose alert it is: what is about no model is of all. */
const modelOf = ({ subject }: AlertView): string => subject.model ?? ALL_MODELS;

interface OfAlert {
  readonly alert: AlertView;
}

function Acknowledge({ alert }: OfAlert): ReactNode {
  const { id } = alert;
  const [comment, setComment] = useState("");
  return (
    <ActionButton
      label="Acknowledge"
      title="Say that you have seen it"
      consequence="It goes on firing until it is over, and is not told again."
      done="Acknowledged"
      of={modelOf(alert)}
      testId={`acknowledge-${id}`}
      run={(api) => api.acknowledgeAlert(id, { comment: comment.trim() })}
    >
      <label className="field">
        What is done about it
        <input value={comment} maxLength={512} onChange={(event) => setComment(event.target.value)} />
      </label>
    </ActionButton>
  );
}

function Unacknowledge({ alert }: OfAlert): ReactNode {
  const { id } = alert;
  return (
    <ActionButton
      label="Take back"
      title="Take the acknowledgement back"
      consequence="It is told again while it fires."
      done="It is told again"
      of={modelOf(alert)}
      testId={`unacknowledge-${id}`}
      run={(api) => api.unacknowledgeAlert(id)}
    />
  );
}

const HOUR_MS = 3_600_000;
const TIMES = [
  ["an hour", HOUR_MS],
  ["8 hours", 8 * HOUR_MS],
  ["a day", 24 * HOUR_MS],
  ["a week", 7 * 24 * HOUR_MS],
] as const;

/** Of the rule: all of its alerts, or those of the model or task that this one is about. */
function Silence({ alert }: OfAlert): ReactNode {
  const { rule, subject } = alert;
  const can = useCan();
  const { model, task } = subject;
  const narrow = task ?? model;
  const [alone, setAlone] = useState(narrow !== undefined && !can("operate", ALL_MODELS));
  const of = { ...(alone && (task !== undefined ? { task } : model !== undefined && { model })) };
  const [durationMs, setDuration] = useState<number>(HOUR_MS);
  const [comment, setComment] = useState("");
  return (
    <ActionButton
      label="Silence"
      title={`Silence ${rule}`}
      consequence={`Alerts of the rule ${rule}${alone ? ` about ${narrow}` : ""} are told to nobody meanwhile. They are shown here all the same.`}
      done={`${rule} is silenced`}
      of={modelOf(alert)}
      testId={`silence-${rule}`}
      run={(api) =>
        api.silence({ matcher: { rule, ...of }, durationMs, comment: comment.trim() || "no reason given" })
      }
    >
      <label className="field">
        For
        <select value={durationMs} onChange={(event) => setDuration(Number(event.target.value))}>
          {TIMES.map(([words, ms]) => (
            <option key={ms} value={ms}>
              {words}
            </option>
          ))}
        </select>
      </label>
      {narrow !== undefined && can("operate", ALL_MODELS) && (
        <label className="field">
          Of
          <select value={String(alone)} onChange={(event) => setAlone(event.target.value === "true")}>
            <option value="false">all that the rule finds</option>
            <option value="true">{narrow} alone</option>
          </select>
        </label>
      )}
      <label className="field">
        Why
        <input value={comment} maxLength={512} onChange={(event) => setComment(event.target.value)} />
      </label>
    </ActionButton>
  );
}
