import { concatBytes, sha256Bytes } from "@tributary/core";
import type { CohortShape } from "./thresholds.ts";

/** Who shares masks with whom, and who holds whose secret shares. Members are numbered from 0. */
export interface NeighbourGraph {
  /** Ascending. */
  neighboursOf(member: number): readonly number[];
  /** Ascending: the neighbours; in the complete graph the member too, so that the shares are t of n. */
  holdersOf(member: number): readonly number[];
}

/**
 * The graph of a cohort: complete, or SecAgg+'s Harary graph over a ring that the seed permutes.
 *
 * @param seed - 32 bytes that nobody could choose
 */
export function neighbourGraph(shape: CohortShape, seed: Uint8Array): NeighbourGraph {
  const { clients } = shape;
  if (shape.graph === "complete") {
    const all = Array.from({ length: clients }, (_, member) => member);
    return {
      neighboursOf: (member) => all.filter((other) => other !== member),
      holdersOf: () => all,
    };
  }
  const ring = permutation(clients, seed);
  const positions = new Uint32Array(clients);
  for (const [position, member] of ring.entries()) positions[member] = position;
  const known = new Map<number, readonly number[]>();
  const neighboursOf = (member: number): readonly number[] => {
    const before = known.get(member);
    if (before !== undefined) return before;
    const neighbours: number[] = [];
    for (let distance = 1; distance <= shape.degree / 2; distance++) {
      neighbours.push(ring[(positions[member]! + distance) % clients]!);
      neighbours.push(ring[(positions[member]! - distance + clients) % clients]!);
    }
    neighbours.sort((a, b) => a - b);
    known.set(member, neighbours);
    return neighbours;
  };
  return { neighboursOf, holdersOf: neighboursOf };
}

/** A uniform permutation (Fisher-Yates) from SHA-256 in counter mode, with rejection. */
export function permutation(length: number, seed: Uint8Array): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i);
  const next = wordStream(seed);
  for (let i = length - 1; i > 0; i--) {
    const limit = 2 ** 32 - (2 ** 32 % (i + 1));
    let word = next();
    while (word >= limit) word = next();
    const j = word % (i + 1);
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}

/** Public 32-bit words: SHA-256 of the seed and a counter. */
export function wordStream(seed: Uint8Array): () => number {
  let counter = 0;
  let block = new DataView(new ArrayBuffer(0));
  let at = 0;
  return () => {
    if (at === block.byteLength) {
      const suffix = new Uint8Array(4);
      new DataView(suffix.buffer).setUint32(0, counter++);
      block = new DataView(sha256Bytes(concatBytes(seed, suffix)).buffer);
      at = 0;
    }
    at += 4;
    return block.getUint32(at - 4);
  };
}
