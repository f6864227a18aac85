import type { RoundId } from "@tributary/core";
import type { RoundInput } from "@tributary/federation";
import type { JsonValue } from "../ports/json.ts";
import type { JournalEntry } from "../ports/round-records.ts";

/** The last input of a round, in a transaction that stores more than the journal. */
export interface FinalEntries {
  readonly entries: readonly JournalEntry[];
  /** Tells how the transaction went. */
  settle(stored: boolean): void;
}

interface Waiting {
  readonly sequence: number;
  readonly run: () => void;
  readonly dropped: (error: unknown) => void;
}

/**
 * The control inputs of one round in the order they were stepped, numbered. What devices hear of an input waits here until it
 * is stored: a coordinator that is killed knows everything that it ever said.
 */
export class RoundJournal {
  readonly #roundId: RoundId;
  readonly #waiting: Waiting[] = [];
  #sequence: number;
  /** Everything up to here is stored. */
  #written: number;
  #unwritten: JournalEntry[] = [];
  #lost = false;

  /** @param written - how many inputs of an earlier process are stored */
  constructor(roundId: RoundId, written = 0) {
    this.#roundId = roundId;
    this.#sequence = written;
    this.#written = written;
  }

  add(input: RoundInput): void {
    this.#sequence += 1;
    this.#unwritten.push(this.#entry(this.#sequence, input));
  }

  /** Runs once every input so far is stored, in order; at once when they are, or when they never will be. */
  whenWritten(run: () => void, dropped: (error: unknown) => void = () => {}): void {
    if (this.#lost || this.#written === this.#sequence) run();
    else this.#waiting.push({ sequence: this.#sequence, run, dropped });
  }

  /** Rejects with the reason when the inputs could not be stored. */
  written(): Promise<void> {
    return new Promise((resolve, reject) => this.whenWritten(resolve, reject));
  }

  /** Everything since the last call, for whoever stores it; then `stored` or `putBack`. */
  take(): readonly JournalEntry[] {
    const entries = this.#unwritten;
    this.#unwritten = [];
    return entries;
  }

  stored(entries: readonly JournalEntry[]): void {
    const last = entries.at(-1);
    if (last === undefined) return;
    this.#written = Math.max(this.#written, last.sequence);
    while (this.#waiting.length > 0 && this.#waiting[0]!.sequence <= this.#written)
      this.#waiting.shift()!.run();
  }

  /** They could not be stored; a later attempt takes them along. */
  putBack(entries: readonly JournalEntry[]): void {
    this.#unwritten.unshift(...entries);
  }

  /** The round ends because its inputs cannot be stored: nobody hears what followed from them, only that it ended. */
  lose(error: unknown): void {
    this.#lost = true;
    for (const { dropped } of this.#waiting.splice(0)) dropped(error);
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** No input may be added between this and `settle`. */
  final(input: RoundInput): FinalEntries {
    const before = this.take();
    const entries = [...before, this.#entry(this.#sequence + 1, input)];
    return {
      entries,
      settle: (stored) => {
        if (!stored) return this.putBack(before);
        this.#sequence += 1;
        this.stored(entries);
      },
    };
  }

  #entry(sequence: number, input: RoundInput): JournalEntry {
    const { now, ...rest } = input;
    // Inputs are flat records of texts and numbers, which TypeScript does not see of a union.
    return { roundId: this.#roundId, sequence, at: now, input: rest as unknown as JsonValue };
  }
}

/** The other direction, for replay. */
export function journalInput(entry: JournalEntry): RoundInput {
  return { ...(entry.input as object), now: entry.at } as RoundInput;
}
