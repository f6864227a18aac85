import type { RoundConfig } from "@tributary/federation";
import type { MetadataRepositories, VersionCommit } from "../../ports/metadata-store.ts";
import type { NewEvent } from "../../ports/event-records.ts";
import { roundEvent } from "../../registry/views.ts";
import { publishEvents } from "../commit-round.ts";
import type { RoundServices } from "../round-services.ts";
import type { RoundMean } from "@tributary/federation/aggregation";
import { encodeCohortMean } from "./cohort-mean.ts";

export interface StoreCohortInput {
  readonly config: RoundConfig;
  readonly mean: RoundMean;
  /** The sum is known; the transaction begins. */
  aggregated(): Promise<void>;
  /** The round's final row and the rest of its journal, which says whose updates are in the sum. */
  finalRow(): Pick<Required<VersionCommit>, "round" | "journal">;
  /** What else is stored with it. */
  alsoStored(tx: MetadataRepositories): Promise<readonly NewEvent[]>;
}

/**
 * Puts a cohort's sum into the buffer: the blob on disk, then one transaction for the sum, the members and the round's end.
 * After a crash the sum is there and counts once, or was never there.
 */
export async function storeCohort(services: RoundServices, input: StoreCohortInput): Promise<void> {
  const { store, blobs, env } = services;
  const { config, mean } = input;
  const sum = await blobs.put(encodeCohortMean(mean));
  await input.aggregated();
  const at = env.clock.now();
  const { round, journal } = input.finalRow();
  const events = await store.transaction(async (tx) => {
    await tx.rounds.update(round);
    await tx.journal.append(journal);
    await tx.bufferedCohorts.insert({
      roundId: config.roundId,
      task: config.task,
      baseVersion: config.baseVersion,
      updates: mean.updates,
      numExamples: mean.totalExamples,
      sum,
      at,
      staleness: null,
      version: null,
    });
    return tx.events.append([roundEvent(round), ...(await input.alsoStored(tx))], at);
  });
  env.log.info("cohort buffered", {
    roundId: config.roundId,
    baseVersion: config.baseVersion,
    updates: mean.updates,
  });
  await publishEvents(services, events);
}
