import {
  addResult,
  NO_PROGRESS,
  stopReason,
  type RoundResult,
  type StopProgress,
} from "@tributary/federation";
import type { TaskReason } from "@tributary/protocol";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/task-records.ts";

const PAGE = 100;

/** Follows a task's committed rounds, and tells when it is done. */
export class StopWatch {
  #since = -1;
  /** The newest version that was looked at. */
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

  /** Of the versions that were committed since the last look, oldest first; several cohorts may have made one. */
  async #newResults(
    rounds: MetadataRepositories["rounds"],
    task: TaskRecord["name"],
  ): Promise<readonly RoundResult[]> {
    const results = new Map<number, RoundResult>();
    let before: number | undefined;
    for (;;) {
      const page = await rounds.list(task, { limit: PAGE, ...(before === undefined ? {} : { before }) });
      let fresh = 0;
      for (const { number, phase, purpose, version, startedAt, ...measured } of page) {
        // A round that makes no version is known by its number; a gate measures on other data, and what was measured before.
        const made = version ?? number;
        if (phase !== "committed" || purpose === "gate") continue;
        if (made <= this.#read || startedAt < this.#since) continue;
        fresh += 1;
        if (results.has(made)) continue;
        const { loss, accuracy, trainLoss, trainAccuracy } = measured;
        results.set(made, { number, loss: loss ?? trainLoss, accuracy: accuracy ?? trainAccuracy });
      }
      // After the first look, what is new is among the newest.
      if (page.length < PAGE || (this.#read > 0 && fresh === 0)) break;
      before = page.at(-1)?.number;
    }
    this.#read = Math.max(this.#read, ...results.keys());
    return [...results].toSorted(([a], [b]) => a - b).map(([, result]) => result);
  }
}
