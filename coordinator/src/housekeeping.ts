import type { Env } from "@tributary/core";
import { FLEET_HOURS_KEPT } from "@tributary/protocol";
import type { MetadataStore } from "./ports/metadata-store.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How long the journal of a round that ended can still be replayed. */
export const JOURNAL_KEPT_MS = 7 * DAY_MS;
/** How long a device that tells nothing more is counted among those that a version runs on. */
export const HEALTH_KEPT_MS = 30 * DAY_MS;
/** Of each task, beside its first: what drift is shown of, and versions are compared by. */
export const MEASUREMENTS_KEPT = 2_000;
/** How long a request with an idempotency key is known. */
export const IDEMPOTENCY_KEPT_MS = DAY_MS;
/** Releases whose metadata is served to devices that are in the middle of an update. Roots are kept for ever. */
export const RELEASES_KEPT = 100;

export interface HousekeepingOptions {
  readonly env: Pick<Env, "clock" | "log">;
  readonly store: MetadataStore;
  readonly keptEvents: number;
}

/** Forgets what nobody asks for any more: now, before it resolves, and once a day. */
export async function startHousekeeping(options: HousekeepingOptions): Promise<{ close(): void }> {
  const { env, store, keptEvents } = options;
  const { clock, log } = env;
  let closed = false;

  const tidy = async (): Promise<void> => {
    await store.journal.prune(clock.now() - JOURNAL_KEPT_MS);
    await store.releases.prune(RELEASES_KEPT);
    await store.events.prune(keptEvents);
    await store.idempotentRequests.prune(clock.now() - IDEMPOTENCY_KEPT_MS);
    await store.deviceHealth.prune(clock.now() - HEALTH_KEPT_MS);
    await store.measurements.prune(MEASUREMENTS_KEPT);
    await store.fleet.prune({
      hour: Math.floor(clock.now() / HOUR_MS) - FLEET_HOURS_KEPT,
      seenBefore: clock.now() - HEALTH_KEPT_MS,
    });
  };
  const later = () =>
    clock.schedule(DAY_MS, () => {
      tidy()
        .catch((error: unknown) => {
          if (!closed) log.error("coordinator: what is old could not be forgotten", { error });
        })
        .finally(() => {
          if (!closed) timer = later();
        });
    });

  await tidy();
  let timer = later();
  return {
    close() {
      closed = true;
      timer.cancel();
    },
  };
}
