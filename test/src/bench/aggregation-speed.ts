import { fedAvg } from "@tributary/aggregation";
import { seededRandom } from "@tributary/core";
import { quantile } from "./quantile.ts";

const VALUES = 1_000_000;
const UPDATES = 8;
/** As updates are read from their files. */
const PIECE = 65_536;
const REPEATS = 40;

export interface AggregationSpeed {
  /** How fast updates are summed, as a share of how fast the same bytes are copied. */
  readonly share: number;
  readonly sumMsPerUpdate: number;
  readonly copyMsPerUpdate: number;
}

/**
 * The weighted sum of float32 updates as a coordinator takes it (each product exact, added in float64), against a copy of
 * the same bytes: in turns, so that both meet the same machine; medians.
 */
export function measureAggregation(): AggregationSpeed {
  const random = seededRandom("aggregation");
  const updates = Array.from({ length: UPDATES }, () =>
    Float32Array.from({ length: VALUES }, () => random.next() - 0.5),
  );
  const copy = new Float32Array(VALUES);
  const sum = fedAvg.init(VALUES);
  const copyAll = (): void => {
    for (const update of updates) copy.set(update);
  };
  const sumAll = (): void => {
    for (const [i, update] of updates.entries()) {
      for (let at = 0; at < VALUES; at += PIECE)
        fedAvg.accumulateChunk(sum, at, update.subarray(at, at + PIECE), 10 + i);
      fedAvg.countUpdate(sum, 10 + i);
    }
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
