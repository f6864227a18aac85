import type { RoundId } from "@tributary/core";
import type { RoundInput } from "@tributary/federation";
import type { JournalEntry, JsonValue } from "../ports/records.ts";

/** The control inputs of one round in the order they were stepped; numbered here, stored in batches. */
export class RoundJournal {
  readonly #roundId: RoundId;
  #sequence = 0;
  #unwritten: JournalEntry[] = [];

  constructor(roundId: RoundId) {
    this.#roundId = roundId;
  }

  add(input: RoundInput): void {
    this.#sequence += 1;
    const { now, ...rest } = input;
    // Inputs are flat records of texts and numbers, which TypeScript does not see of a union.
    this.#unwritten.push({
      roundId: this.#roundId,
      sequence: this.#sequence,
      at: now,
      input: rest as unknown as JsonValue,
    });
  }

  get pending(): number {
    return this.#unwritten.length;
  }

  /** Everything since the last call; the caller stores it, or loses it with the round. */
  take(): readonly JournalEntry[] {
    const entries = this.#unwritten;
    this.#unwritten = [];
    return entries;
  }
}

/** The other direction, for replay. */
export function journalInput(entry: JournalEntry): RoundInput {
  return { ...(entry.input as object), now: entry.at } as RoundInput;
}
