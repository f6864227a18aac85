import type { BusTopics } from "../ports/bus.ts";
import type { EventRepository } from "../ports/event-repositories.ts";

export type LiveEvent = BusTopics["event"];

const PAGE = 500;

/**
 * Puts logged events into the order of their ids. Rooms publish after their own transactions, so that two of them may
 * come the other way round; a stream that had sent the later one could never send, or resume at, the earlier one.
 * What is missing is read from the log; what came late was passed on already.
 */
export class EventOrder {
  readonly #log: Pick<EventRepository, "after">;
  readonly #pass: (event: LiveEvent) => void;
  #last: number;
  /** Events that came while the log is read. */
  #held: LiveEvent[] | undefined;

  /** @param last - the newest id that was logged so far */
  constructor(log: Pick<EventRepository, "after">, last: number, pass: (event: LiveEvent) => void) {
    this.#log = log;
    this.#last = last;
    this.#pass = pass;
  }

  /** Resolves when the event was passed on. @throws what the log throws; nothing is lost by it */
  async receive(event: LiveEvent): Promise<void> {
    if (this.#held !== undefined) this.#held.push(event);
    else if (event.id === null || event.id <= this.#last + 1) this.#next(event);
    else await this.#catchUp(event);
  }

  async #catchUp(event: LiveEvent): Promise<void> {
    this.#held = [event];
    try {
      for (;;) {
        const page = await this.#log.after(this.#last, PAGE);
        for (const logged of page) this.#next(logged);
        if (page.length < PAGE) break;
      }
    } finally {
      const held = this.#held;
      this.#held = undefined;
      for (const each of held) this.#next(each);
    }
  }

  #next(event: LiveEvent): void {
    if (event.id !== null) {
      if (event.id <= this.#last) return;
      this.#last = event.id;
    }
    this.#pass(event);
  }
}
