import type { DeviceId, SeededRandom } from "@tributary/core";

/** A device that is willing to train for a task. */
export interface CheckIn {
  readonly device: DeviceId;
  /** Labelled examples it has. */
  readonly examples: number;
}

/**
 * The devices that are willing now. Check-ins stand over rounds; who is asked first is drawn for each round by
 * {@link drawOrder}.
 */
export interface CheckInQueue {
  readonly size: number;
  /** Adds a device; one that is there keeps its place and updates its examples. */
  checkIn(device: DeviceId, examples: number): void;
  /** The connection ended or the device left. */
  remove(device: DeviceId): void;
  get(device: DeviceId): CheckIn | undefined;
  /** In order of arrival. */
  all(): readonly CheckIn[];
}

export function createCheckInQueue(): CheckInQueue {
  const examplesOf = new Map<DeviceId, number>();
  return {
    get size() {
      return examplesOf.size;
    },
    checkIn: (device, examples) => void examplesOf.set(device, examples),
    remove: (device) => void examplesOf.delete(device),
    get(device) {
      const examples = examplesOf.get(device);
      return examples === undefined ? undefined : { device, examples };
    },
    all: () => Array.from(examplesOf, ([device, examples]) => ({ device, examples })),
  };
}

/** What {@link drawOrder} goes by. */
export interface DrawRules {
  /** 0: by lot alone; 0.5: chances grow with the rounds since the last one; 1: strictly by turn. */
  readonly fairness: number;
  /** Number of the round that devices are drawn for. */
  readonly round: number;
  /** The last round of a device; undefined: none is known. */
  readonly lastRound: (device: DeviceId) => number | undefined;
  readonly random: Pick<SeededRandom, "next">;
}

/**
 * The order in which a round asks devices: a weighted draw without replacement (Efraimidis and Spirakis 2006). A device's
 * weight is the number of rounds since its last, to the power of fairness / (1 - fairness); one that never took part
 * weighs as much as the one whose last is longest ago, and a round more.
 */
export function drawOrder<Item extends { readonly device: DeviceId }>(
  items: readonly Item[],
  { fairness, round, lastRound, random }: DrawRules,
): readonly Item[] {
  const ages = items.map(({ device }) => {
    const last = lastRound(device);
    return last === undefined ? undefined : Math.max(1, round - last);
  });
  const oldest = ages.reduce<number>((most, age) => Math.max(most, age ?? 0), 0);
  const power = fairness / (1 - fairness);
  const drawn = items.map((item, i) => {
    const age = ages[i] ?? oldest + 1;
    // -log(u) / weight, in logarithms: the smallest comes first, and no weight overflows.
    const lot = Math.log(-Math.log1p(-random.next()));
    return { item, age, key: lot - (Number.isFinite(power) ? power * Math.log(age) : 0) };
  });
  return drawn
    .toSorted((a, b) => (Number.isFinite(power) ? a.key - b.key : b.age - a.age || a.key - b.key))
    .map(({ item }) => item);
}
