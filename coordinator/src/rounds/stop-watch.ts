import {
  addResult,
  NO_PROGRESS,
  stopReason,
  type RoundResult,
  type StopProgress,
} from "@tributary/federation";
import type { TaskReason } from "@tributary/protocol";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/records.ts";

const PAGE = 100;

/** Follows a task's committed rounds, and tells when it is done. */
export class StopWatch {
  #since = -1;
  #read = 0;
  #progress: StopProgress = NO_PROGRESS;

  /** Why the task is done; undefined: it goes on. */
  async reason(
    { rounds }: Pick<MetadataRepositories, "rounds">,
    { name, spec, activeSince: since }: TaskRecord,
    now: number,
  ): Promise<TaskReason | undefined> {
    if (since !== this.#since) {
      this.#since = since;
      this.#read = 0;
      this.#progress = NO_PROGRESS;
    }
    if (spec.stop.targetMetric !== null || spec.stop.noImprovement !== null) {
      for (const result of await this.#newResults(rounds, name)) {
        this.#progress = addResult(spec.stop, this.#progress, result);
      }
    }
    const roundsCommitted = spec.rounds === null ? 0 : await rounds.countCommitted(name);
    return stopReason(spec, this.#progress, { now, since, roundsCommitted });
  }

  /** Of the rounds that were committed since the last look, oldest first. */
  async #newResults(
    rounds: MetadataRepositories["rounds"],
    task: TaskRecord["name"],
  ): Promise<readonly RoundResult[]> {
    const results: RoundResult[] = [];
    let newest = this.#read;
    let before: number | undefined;
    for (;;) {
      const page = await rounds.list(task, { limit: PAGE, ...(before === undefined ? {} : { before }) });
      const fresh = page.filter(({ number, startedAt }) => number > this.#read && startedAt >= this.#since);
      for (const { number, phase, purpose, loss, accuracy, trainLoss, trainAccuracy } of fresh) {
        newest = Math.max(newest, number);
        // A gate measures on other data, and what was measured before.
        if (phase !== "committed" || purpose === "gate") continue;
        results.push({ number, loss: loss ?? trainLoss, accuracy: accuracy ?? trainAccuracy });
      }
      if (fresh.length < PAGE) break;
      before = page.at(-1)?.number;
    }
    this.#read = newest;
    return results.toReversed();
  }
}
