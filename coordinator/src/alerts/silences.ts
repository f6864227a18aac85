import type { AlertRecord, SilenceRecord } from "../ports/alert-records.ts";

type Matched = Pick<AlertRecord, "rule" | "kind" | "subject">;

/** Whether all that a silence names holds of an alert. */
export function isMatched(
  { matcher }: Pick<SilenceRecord, "matcher">,
  { rule, kind, subject }: Matched,
): boolean {
  return (
    (matcher.rule ?? rule) === rule &&
    (matcher.kind ?? kind) === kind &&
    (matcher.model === undefined || matcher.model === subject.model) &&
    (matcher.task === undefined || matcher.task === subject.task)
  );
}

/** Until when an alert is told to nobody; null: it is told. */
export function silencedUntil(
  silences: readonly SilenceRecord[],
  alert: Matched,
  now: number,
): number | null {
  const ends = silences
    .filter((each) => each.startsAt <= now && now < each.endsAt && isMatched(each, alert))
    .map(({ endsAt }) => endsAt);
  return ends.length === 0 ? null : Math.max(...ends);
}
