import { encodeUtf8, sha256 } from "@tributary/core";
import { alertThreshold, canonicalText, type AlertRule, type AlertSubject } from "@tributary/protocol";
import type { AlertRecord } from "../ports/alert-records.ts";
import type { Finding } from "./finding.ts";

/** What a look at a rule changes. */
export interface AlertChanges {
  readonly insert: readonly Omit<AlertRecord, "id">[];
  readonly update: readonly AlertRecord[];
  /** Of those that were pending and never fired: nothing is left of them. */
  readonly remove: readonly AlertRecord[];
}

/** Of a rule and what it is about: one alert of each is open at a time. */
export function alertFingerprint(rule: string, subject: AlertSubject): string {
  const said = { rule, subject: { ...subject } as Readonly<Record<string, string | number>> };
  return sha256(encodeUtf8(canonicalText(said)));
}

/**
 * From what a rule finds now, and its open alerts, to what becomes of them: pending until it has held for as long as the rule says, firing,
 * resolved. A rule that looks at nothing finds nothing.
 */
export function advanceAlerts(
  rule: AlertRule,
  open: readonly AlertRecord[],
  findings: readonly Finding[],
  now: number,
): AlertChanges {
  const threshold = alertThreshold(rule);
  const found = new Map(findings.map((each) => [alertFingerprint(rule.name, each.subject), each]));
  const known = new Set(open.map(({ fingerprint }) => fingerprint));
  const update: AlertRecord[] = [];
  const remove: AlertRecord[] = [];
  for (const alert of open) {
    const finding = found.get(alert.fingerprint);
    if (finding === undefined) {
      if (alert.state === "pending") remove.push(alert);
      else update.push({ ...alert, state: "resolved", resolvedAt: now });
      continue;
    }
    const after = { ...alert, ...saidOf(rule, finding), threshold };
    const fires = alert.state === "pending" && now - alert.pendingSince >= rule.forMs;
    if (fires) update.push({ ...after, state: "firing", firingSince: now });
    // The figure alone changes with each look: it is kept with what is said of it.
    else if (isNews(alert, after)) update.push(after);
  }
  const insert = [...found].flatMap(([fingerprint, finding]): Omit<AlertRecord, "id">[] => {
    if (known.has(fingerprint)) return [];
    const fires = rule.forMs === 0;
    return [
      {
        rule: rule.name,
        kind: rule.kind,
        state: fires ? "firing" : "pending",
        subject: finding.subject,
        fingerprint,
        ...saidOf(rule, finding),
        threshold,
        pendingSince: now,
        firingSince: fires ? now : null,
        resolvedAt: null,
        acknowledgement: null,
        told: null,
        toldAt: null,
      },
    ];
  });
  return { insert, update, remove };
}

function saidOf(
  { severity, advice }: AlertRule,
  finding: Finding,
): Pick<AlertRecord, "severity" | "value" | "summary" | "advice"> {
  const { value, summary } = finding;
  return { severity, value, summary, advice: advice === "" ? finding.advice : advice };
}

function isNews(before: AlertRecord, after: AlertRecord): boolean {
  return (["summary", "advice", "severity", "threshold"] as const).some(
    (field) => before[field] !== after[field],
  );
}
