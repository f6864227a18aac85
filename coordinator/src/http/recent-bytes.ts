import type { Clock } from "@tributary/core";

export interface RecentBytesOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** How long an answer is given again. */
  readonly maxAgeMs: number;
  /** Of all together. */
  readonly maxBytes: number;
  /** Larger ones are not kept. */
  readonly maxEntryBytes: number;
}

/** What many ask for at the same moment, as when a version was pushed: found once, and given to all. */
export interface RecentBytes<Found extends { readonly bytes: Uint8Array }> {
  /** @param find - called where there is no recent answer; undefined is not kept */
  get(name: string, find: () => Promise<Found | undefined>): Promise<Found | undefined>;
}

interface Entry<Found> {
  readonly found: Promise<Found | undefined>;
  readonly untilMs: number;
  sizeBytes: number;
}

export function createRecentBytes<Found extends { readonly bytes: Uint8Array }>({
  clock,
  maxAgeMs,
  maxBytes,
  maxEntryBytes,
}: RecentBytesOptions): RecentBytes<Found> {
  /** The oldest first. */
  const entries = new Map<string, Entry<Found>>();
  let kept = 0;

  const drop = (name: string, entry: Entry<Found>): void => {
    if (entries.get(name) !== entry) return;
    entries.delete(name);
    kept -= entry.sizeBytes;
  };
  const tidy = (): void => {
    for (const [name, entry] of entries) {
      if (entry.untilMs > clock.monotonicMs() && kept <= maxBytes) break;
      drop(name, entry);
    }
  };

  return {
    async get(name, find) {
      tidy();
      const known = entries.get(name);
      if (known !== undefined) return await known.found;
      const entry: Entry<Found> = {
        found: find(),
        untilMs: clock.monotonicMs() + maxAgeMs,
        sizeBytes: 0,
      };
      entries.set(name, entry);
      try {
        const found = await entry.found;
        if (found === undefined || found.bytes.length > maxEntryBytes) drop(name, entry);
        else if (entries.get(name) === entry) {
          entry.sizeBytes = found.bytes.length;
          kept += entry.sizeBytes;
          tidy();
        }
        return found;
      } catch (error) {
        drop(name, entry);
        throw error;
      }
    },
  };
}
