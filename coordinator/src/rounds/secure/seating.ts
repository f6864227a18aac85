import {
  encodeHex,
  seededRandom,
  type DeviceId,
  type SecureRandom,
  type SeededRandom,
  type TaskName,
} from "@tributary/core";
import { chooseSuspects, type SuspicionPoints } from "@tributary/federation";
import type { MetadataStore } from "../../ports/metadata-store.ts";
import { pointsOf } from "./suspicions.ts";

/** What a device gets when it checks in for a round. */
export type Seat = "free" | "held" | "quarantined";

/** Who may be in one round: all that are not suspected, and some of those that are, so that its sum tells more. */
export class Seating {
  readonly #points: Map<DeviceId, number>;
  readonly #quarantined: Set<DeviceId>;
  readonly #admitted: Set<DeviceId>;
  readonly #random: SeededRandom;

  private constructor(points: SuspicionPoints, quarantined: Iterable<DeviceId>, random: SeededRandom) {
    this.#points = new Map(points);
    this.#quarantined = new Set(quarantined);
    this.#admitted = new Set(chooseSuspects(points, random));
    this.#random = random;
  }

  /** Where nobody is suspected. */
  static readonly open = new Seating(new Map(), [], seededRandom(0));

  /**
   * For the next round of a task.
   *
   * @param secure - whether only sums will be seen; else nobody has to be told from others, and only who is quarantined stays out
   */
  static async next(
    { suspicions }: Pick<MetadataStore, "suspicions">,
    task: TaskName,
    random: SecureRandom,
    secure: boolean,
  ): Promise<Seating> {
    const records = await suspicions.list(task);
    if (records.length === 0) return Seating.open;
    const quarantined = records.flatMap(({ deviceId, state }) => (state === "quarantined" ? [deviceId] : []));
    const points = secure ? pointsOf(records) : new Map();
    return new Seating(points, quarantined, seededRandom(encodeHex(random.bytes(16))));
  }

  seatOf(device: DeviceId): Seat {
    if (this.#quarantined.has(device)) return "quarantined";
    return !this.#points.has(device) || this.#admitted.has(device) ? "free" : "held";
  }

  /** Whether anybody may be held back. */
  get holds(): boolean {
    return this.#points.size > 0;
  }

  /** The least suspected first; among equals by lot. */
  inOrder<Item extends { readonly device: DeviceId }>(held: readonly Item[]): readonly Item[] {
    const pointsOfOne = ({ device }: Item): number => this.#points.get(device) ?? 0;
    return this.#random.shuffle([...held]).toSorted((a, b) => pointsOfOne(a) - pointsOfOne(b));
  }

  /** An operator may have released some. */
  async refresh({ suspicions }: Pick<MetadataStore, "suspicions">, task: TaskName): Promise<void> {
    if (this.#points.size === 0 && this.#quarantined.size === 0) return;
    const left = new Set((await suspicions.list(task)).map(({ deviceId }) => deviceId));
    for (const device of this.#quarantined) if (!left.has(device)) this.#quarantined.delete(device);
    for (const device of this.#points.keys()) if (!left.has(device)) this.#points.delete(device);
  }

  /** Lets a suspected device in after all: the others are too few. */
  admit(device: DeviceId): void {
    this.#admitted.add(device);
  }
}
