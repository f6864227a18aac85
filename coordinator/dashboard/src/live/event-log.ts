import type { ServerEvent } from "@tributary/api-client";

/**
 * The newest events of this tab. A list that is read over HTTP while events arrive may be older than some of them:
 * the reader takes a mark before it asks, and applies afterwards what came since.
 */
export interface EventLog {
  mark(): number;
  /** Events since `mark`; `undefined` when some of them are gone, and the list must be read again. */
  since(mark: number): readonly ServerEvent[] | undefined;
  append(events: readonly ServerEvent[]): void;
}

export function createEventLog(capacity = 2048): EventLog {
  let events: ServerEvent[] = [];
  /** Position of `events[0]` among all events ever. */
  let first = 0;
  return {
    mark: () => first + events.length,
    since: (mark) => (mark < first ? undefined : events.slice(mark - first)),
    append(more) {
      events.push(...more);
      const over = events.length - capacity;
      if (over > 0) {
        events = events.slice(over);
        first += over;
      }
    },
  };
}

/** Reads a list, and brings it up to date with the events that came meanwhile. */
export async function readWithEvents<Data>(
  log: EventLog,
  read: () => Promise<Data>,
  apply: (data: Data, event: ServerEvent) => Data,
): Promise<Data> {
  for (;;) {
    const mark = log.mark();
    const data = await read();
    const since = log.since(mark);
    if (since !== undefined) return since.reduce(apply, data);
  }
}
