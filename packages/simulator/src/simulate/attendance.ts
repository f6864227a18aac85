import type { ModelVersion } from "@tributary/core";

/** What devices give at most to sums on one version, by default. */
const MAX_CONTRIBUTIONS = 2;

/** Who is in a round now, and who has given what it may, where several rounds go on at a time. */
export class Attendance {
  readonly #busy = new Set<number>();
  readonly #given = new Map<ModelVersion, Map<number, number>>();

  mayCome(client: number, base: ModelVersion): boolean {
    return !this.#busy.has(client) && (this.#given.get(base)?.get(client) ?? 0) < MAX_CONTRIBUTIONS;
  }

  came(client: number): void {
    this.#busy.add(client);
  }

  left(client: number): void {
    this.#busy.delete(client);
  }

  /** It has begun on a version. */
  began(client: number, base: ModelVersion): void {
    const given = this.#given.get(base) ?? new Map<number, number>();
    this.#given.set(base, given.set(client, (given.get(client) ?? 0) + 1));
  }

  /** Versions before this one are no bases any more. */
  forgetBefore(base: ModelVersion): void {
    for (const version of this.#given.keys()) if (version < base) this.#given.delete(version);
  }
}
