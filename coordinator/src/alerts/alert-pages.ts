import type { AlertListQuery } from "@tributary/protocol";
import Type, { type Static } from "typebox";
import { fieldCursors } from "../pages/cursors.ts";
import { pageReader, type Page } from "../pages/read-page.ts";
import type { AlertRepository } from "../ports/alert-repositories.ts";
import type { AlertRecord } from "../ports/alert-records.ts";

// Alerts are shown in one order: what fires, the worst first; what is pending; what has resolved. Of the same rank the newest first.

const STATES = { firing: 0, pending: 1, resolved: 2 } as const;
const SEVERITIES = { critical: 0, warning: 1, info: 2 } as const;

/** Ranks of state and, where it fires, severity; the id. */
const Place = Type.Tuple([Type.Integer(), Type.Integer(), Type.Integer()]);
type Place = Static<typeof Place>;

const placeOf = ({ state, severity, id }: AlertRecord): Place => [
  STATES[state],
  state === "firing" ? SEVERITIES[severity] : 0,
  id,
];

const inOrder = (a: Place, b: Place): number => a[0] - b[0] || a[1] - b[1] || b[2] - a[2];

/** Where what was read first is not enough: for whoever sees few of them, a page looks through many. */
const FURTHER_READ = 500;

const pages = pageReader(fieldCursors(Place), placeOf);

/**
 * A page of alerts. One whose state changes meanwhile may come twice, or on a page that was read.
 *
 * @param open all that have not resolved
 * @throws `http/invalid-cursor`
 */
export function alertPage(
  asked: Pick<AlertListQuery, "limit" | "cursor" | "state" | "rule">,
  open: readonly AlertRecord[],
  alerts: Pick<AlertRepository, "list">,
  isWanted: (alert: AlertRecord) => boolean,
): Promise<Page<AlertRecord>> {
  const { state = "resolved", rule } = asked;
  return pages(asked, async ({ limit, before }) => {
    const found = open
      .filter((alert) => isWanted(alert) && (before === undefined || inOrder(before, placeOf(alert)) < 0))
      .toSorted((a, b) => inOrder(placeOf(a), placeOf(b)));
    let atATime = limit;
    let last = before?.[0] === STATES.resolved ? before[2] : undefined;
    while (state === "resolved" && found.length < limit) {
      const page = await alerts.list({
        state,
        limit: atATime,
        ...(last === undefined ? {} : { before: last }),
        ...(rule === undefined ? {} : { rule }),
      });
      found.push(...page.filter(isWanted));
      if (page.length < atATime) break;
      last = page.at(-1)!.id;
      atATime = Math.max(limit, FURTHER_READ);
    }
    return found;
  });
}
