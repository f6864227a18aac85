/** Work that goes on beside what began it; whoever closes waits for it. */
export class Background {
  readonly #failed: (error: unknown) => void;
  readonly #underWay = new Set<Promise<void>>();

  /** @param failed is told of work that fails */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed;
  }

  run(work: Promise<unknown>): void {
    const running: Promise<void> = work.catch(this.#failed).then(() => void this.#underWay.delete(running));
    this.#underWay.add(running);
  }

  /** Until nothing is under way, and nothing that it began. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }
}
