import type { SeededRandom } from "@tributary/core";

/**
 * The numbers below `count` in random order, each once. A Fisher-Yates shuffle that remembers only what it has swapped:
 * memory grows with the numbers drawn.
 *
 * @returns the next number; undefined when all are drawn
 */
export function createLottery(count: number, random: SeededRandom): () => number | undefined {
  const moved = new Map<number, number>();
  let drawn = 0;
  return () => {
    if (drawn >= count) return undefined;
    const at = drawn + random.integer(count - drawn);
    const chosen = moved.get(at) ?? at;
    moved.set(at, moved.get(drawn) ?? drawn);
    moved.delete(drawn);
    drawn += 1;
    return chosen;
  };
}
