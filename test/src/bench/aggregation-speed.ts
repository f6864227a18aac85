import { seededRandom } from "@tributary/core";
import { createUpdateSum } from "@tributary/federation/aggregation";
import { quantile } from "./quantile.ts";

const VALUES = 1_000_000;
const UPDATES = 8;
const REPEATS = 40;

export interface AggregationSpeed {
  /** How fast updates are summed, as a share of how fast the same bytes are copied. */
  readonly share: number;
  readonly sumMsPerUpdate: number;
  readonly copyMsPerUpdate: number;
}

/**
 * The weighted sum of float32 updates as a coordinator takes it (each product exact, added in float64; several updates in one
 * pass, piece by piece), against a copy of the same bytes. Updates begin in ordinary memory: that they are brought to where they
 * are summed counts as part of the sum. In turns, so that both meet the same machine; medians.
 */
export function measureAggregation(): AggregationSpeed {
  const random = seededRandom("aggregation");
  const updates = Array.from({ length: UPDATES }, () =>
    Float32Array.from({ length: VALUES }, () => random.next() - 0.5),
  );
  const copy = new Float32Array(VALUES);
  const numExamples = updates.map((_, i) => 10 + i);
  const sum = createUpdateSum({ kind: "mean" }, { weightCount: VALUES, statisticCount: 0 });
  const copyAll = (): void => {
    for (const update of updates) copy.set(update);
  };
  const sumAll = (): void => {
    const { rows } = sum;
    const size = rows[0]!.length;
    for (let first = 0; first < UPDATES; first += rows.length) {
      const batch = updates.slice(first, first + rows.length);
      for (let at = 0; at < VALUES; at += size) {
        for (const [row, update] of batch.entries()) rows[row]!.set(update.subarray(at, at + size));
        sum.addRows(at, Math.min(size, VALUES - at), numExamples.slice(first, first + batch.length));
      }
    }
    for (const count of numExamples) sum.count(count);
  };
  const rounds = Array.from({ length: REPEATS }, () => {
    const copyMs = timed(copyAll) / UPDATES;
    const sumMs = timed(sumAll) / UPDATES;
    return { copyMs, sumMs, share: copyMs / sumMs };
  }).slice(REPEATS / 4);
  const median = (pick: (round: (typeof rounds)[number]) => number) => quantile(rounds.map(pick), 0.5);
  return {
    share: median(({ share }) => share),
    sumMsPerUpdate: median(({ sumMs }) => sumMs),
    copyMsPerUpdate: median(({ copyMs }) => copyMs),
  };
}

function timed(run: () => void): number {
  const began = performance.now();
  run();
  return performance.now() - began;
}
