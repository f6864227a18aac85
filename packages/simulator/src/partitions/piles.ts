import type { SeededRandom } from "@tributary/core";

/** Rows of each label, in random order. Labels are numbered by their order. */
export interface Piles {
  readonly labels: readonly number[];
  readonly rows: readonly Uint32Array[];
}

/** @param labels of all rows */
export function pilesByLabel(labels: ArrayLike<number>, random: SeededRandom): Piles {
  const counts = new Map<number, number>();
  for (let row = 0; row < labels.length; row++) counts.set(labels[row]!, (counts.get(labels[row]!) ?? 0) + 1);
  const known = [...counts.keys()].toSorted((a, b) => a - b);
  const rows = known.map((label) => new Uint32Array(counts.get(label)!));
  const numberOf = new Map(known.map((label, number) => [label, number]));
  const filled = known.map(() => 0);
  for (let row = 0; row < labels.length; row++) {
    const number = numberOf.get(labels[row]!)!;
    rows[number]![filled[number]!++] = row;
  }
  for (const pile of rows) shuffle(pile, random);
  return { labels: known, rows };
}

/** Fisher-Yates, in place. */
export function shuffle(items: Uint32Array, random: SeededRandom): Uint32Array {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const held = items[i]!;
    items[i] = items[j]!;
    items[j] = held;
  }
  return items;
}

export function rowsInRandomOrder(count: number, random: SeededRandom): Uint32Array {
  return shuffle(
    Uint32Array.from({ length: count }, (_, row) => row),
    random,
  );
}

/** The index that a point of 0 to 1 falls on among weights. */
export function pick(weights: ArrayLike<number>, point: number): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i]!;
  let left = point * total;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i]! <= 0) continue;
    last = i;
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return last;
}
