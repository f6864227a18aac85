import type { MetadataStore } from "../ports/metadata-store.ts";
import type { RoundJournal } from "./round-journal.ts";

/**
 * Stores the journals of all rounds, many inputs in one transaction: what sockets bring while one is written goes into the
 * next, so that a sync of the disk is shared by all who wait for it.
 */
export class JournalWriter {
  readonly #store: Pick<MetadataStore, "journal">;
  readonly #due = new Map<RoundJournal, (error: unknown) => void>();
  #writing = false;

  constructor(store: Pick<MetadataStore, "journal">) {
    this.#store = store;
  }

  /** Has everything in a journal stored soon. @param failed - told when it could not be */
  write(journal: RoundJournal, failed: (error: unknown) => void): void {
    this.#due.set(journal, failed);
    if (this.#writing) return;
    this.#writing = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    while (this.#due.size > 0) {
      // After the sockets that are ready now have been read.
      await new Promise((resolve) => setImmediate(resolve));
      const due = [...this.#due];
      this.#due.clear();
      await this.#writeAll(due);
    }
    this.#writing = false;
  }

  async #writeAll(due: readonly (readonly [RoundJournal, (error: unknown) => void])[]): Promise<void> {
    const taken = due.map(([journal, failed]) => ({ journal, failed, entries: journal.take() }));
    try {
      await this.#store.journal.append(taken.flatMap(({ entries }) => entries));
    } catch (error) {
      for (const { journal, failed, entries } of taken) {
        journal.putBack(entries);
        failed(error);
      }
      return;
    }
    for (const { journal, entries } of taken) journal.stored(entries);
  }
}
