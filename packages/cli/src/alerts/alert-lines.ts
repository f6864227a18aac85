import type { AlertRuleView, AlertView, SilenceView } from "@tributary/api-client";
import { tableLines, type TableColumn } from "../table.ts";

const ALERTS: readonly TableColumn<AlertView>[] = [
  { title: "alert", align: "right", cell: ({ id }) => String(id) },
  { title: "state", cell: stateOf },
  { title: "severity", cell: ({ severity }) => severity },
  { title: "rule", cell: ({ rule }) => rule },
  { title: "since", cell: ({ firingSince, pendingSince }) => minuteOf(firingSince ?? pendingSince) },
  { title: "what", cell: ({ summary }) => summary },
];

export function alertLines(alerts: readonly AlertView[]): string[] {
  return alerts.length === 0 ? ["no alerts"] : tableLines(ALERTS, alerts);
}

/** One alert, with all that is known of it. */
export function oneAlertLines(alert: AlertView): string[] {
  const { id, rule, severity, summary, advice, subject, value, threshold, acknowledgement } = alert;
  const about = Object.entries(subject).map(([field, what]) => `${field} ${what}`);
  return [
    `alert ${id}: ${summary}`,
    advice,
    `${severity}, ${stateOf(alert)}, by the rule ${rule}${about.length === 0 ? "" : ` (${about.join(", ")})`}`,
    ...(value === null || threshold === null
      ? []
      : [`found ${Number(value.toPrecision(4))}, the threshold is ${threshold}`]),
    ...(["pendingSince", "firingSince", "resolvedAt", "toldAt"] as const).flatMap((field) =>
      alert[field] === null ? [] : [`${WHEN[field]} ${alert[field]}`],
    ),
    ...(acknowledgement === null
      ? []
      : [
          `acknowledged by ${acknowledgement.by} at ${acknowledgement.at}${acknowledgement.comment === "" ? "" : `: ${acknowledgement.comment}`}`,
        ]),
  ];
}

const WHEN = {
  pendingSince: "first found",
  firingSince: "fires since",
  resolvedAt: "resolved",
  toldAt: "last told",
} as const;

function stateOf({ state, acknowledgement, silencedUntil }: AlertView): string {
  if (state !== "firing") return state;
  if (silencedUntil !== null) return `silenced until ${minuteOf(silencedUntil)}`;
  return acknowledgement === null ? state : "acknowledged";
}

const RULES: readonly TableColumn<AlertRuleView>[] = [
  { title: "rule", cell: ({ name }) => name },
  { title: "state", cell: ({ state, problem }) => problem ?? state },
  { title: "severity", cell: ({ severity }) => severity },
  {
    title: "threshold",
    cell: ({ appliedThreshold, unit }) => (appliedThreshold === null ? "" : `${appliedThreshold} ${unit}`),
  },
  { title: "for", cell: ({ forMs }) => (forMs === 0 ? "" : durationText(forMs)) },
  { title: "origin", cell: ({ origin }) => origin },
  { title: "watches", cell: ({ watches }) => watches },
];

export function ruleLines(rules: readonly AlertRuleView[]): string[] {
  return tableLines(RULES, rules);
}

const SILENCES: readonly TableColumn<SilenceView>[] = [
  { title: "silence", align: "right", cell: ({ id }) => String(id) },
  { title: "state", cell: ({ state }) => state },
  { title: "until", cell: ({ endsAt }) => minuteOf(endsAt) },
  {
    title: "of",
    cell: ({ matcher }) =>
      Object.entries(matcher)
        .map(([field, value]) => `${field} ${value}`)
        .join(", "),
  },
  { title: "by", cell: ({ by }) => by },
  { title: "why", cell: ({ comment }) => comment },
];

export function silenceLines(silences: readonly SilenceView[]): string[] {
  return silences.length === 0 ? ["no silences"] : tableLines(SILENCES, silences);
}

/** "2026-03-01 12:05" */
function minuteOf(at: string): string {
  return at.slice(0, 16).replace("T", " ");
}

/** "2h", "90m", "3d" */
export function durationText(ms: number): string {
  for (const [unit, size] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
  ] as const)
    if (ms % size === 0) return `${ms / size}${unit}`;
  return `${ms / 1_000}s`;
}
