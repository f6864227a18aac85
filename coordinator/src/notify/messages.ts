import type { AlertView, Notification } from "@tributary/protocol";

// What a notification says to people: in a chat, and in a mail.

const MARK = { critical: ":rotating_light:", warning: ":warning:", info: ":information_source:" } as const;
/** Blocks that a chat shows, and characters of one. */
const SHOWN = 10;
const MAX_BLOCK = 2_900;

/** "[firing] 2 alerts by rounds-fail: ..." */
export function subjectOf({ purpose, status, alerts, more, rule, summary }: Notification): string {
  if (purpose === "test") return `[test] ${summary}`;
  const count = alerts.length + more;
  return `[${status}] ${count === 1 ? summary : `${count} alerts by ${rule}: ${summary}`}`.slice(0, 200);
}

/** The body of a Slack-compatible webhook: blocks, and a text for what shows none. */
export function slackMessage(notification: Notification): object {
  const { severity, status, purpose, alerts, more, coordinator, url } = notification;
  const mark = purpose === "test" ? ":wave:" : status === "resolved" ? ":white_check_mark:" : MARK[severity];
  const hidden = more + Math.max(0, alerts.length - SHOWN);
  const link = url === null ? escaped(coordinator) : `<${url}|${escaped(coordinator)}>`;
  return {
    text: subjectOf(notification),
    blocks: [
      section(`${mark} *${escaped(subjectOf(notification))}*`),
      ...alerts.slice(0, SHOWN).map((alert) => section(alertText(alert))),
      {
        type: "context",
        elements: [
          {
            type: "mrkdwn",
            text: `${hidden > 0 ? `and ${hidden} more · ` : ""}${link} · ${notification.at}`,
          },
        ],
      },
    ],
  };
}

function alertText({ state, summary, advice, severity, firingSince, resolvedAt }: AlertView): string {
  const when = state === "resolved" ? `resolved at ${resolvedAt}` : `since ${firingSince}`;
  return `*${escaped(summary)}*\n${escaped(advice)}\n_${severity}, ${state}, ${when}_`;
}

function section(text: string): object {
  return { type: "section", text: { type: "mrkdwn", text: text.slice(0, MAX_BLOCK) } };
}

/** Of what the markup means something by. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A mail in plain text. */
export function mailText(notification: Notification): string {
  const { alerts, more, coordinator, url, purpose, summary } = notification;
  const each = alerts.map((alert) =>
    [
      `${alert.severity.toUpperCase()}, ${alert.state}: ${alert.summary}`,
      `  ${alert.advice}`,
      `  ${alert.state === "resolved" ? `resolved at ${alert.resolvedAt}` : `since ${alert.firingSince}`}, by the rule ${alert.rule}`,
    ].join("\n"),
  );
  return [
    ...(purpose === "test" ? [summary] : each),
    ...(more > 0 ? [`and ${more} more`] : []),
    `${coordinator}${url === null ? "" : `: ${url}`}`,
    "",
  ].join("\n\n");
}
