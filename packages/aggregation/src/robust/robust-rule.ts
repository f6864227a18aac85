/** The same coordinates of every update: row i holds `length` values of update i, beginning at `begin`. */
export interface Block {
  readonly begin: number;
  readonly length: number;
  readonly rows: readonly Float32Array[];
}

/** One reading of all updates, block by block; blocks may have any size and come in any order, each once. */
export type Pass = (block: Block) => void;

/** What is known of the updates before they are read. */
export interface Cohort {
  /** Examples of each update, in the order of the rows. */
  readonly numExamples: readonly number[];
  /** Coordinates of an update. */
  readonly length: number;
}

/**
 * Turns updates, some of which may be hostile, into one. A generator that yields a pass at a time and returns the
 * aggregate, so that the rule does no IO and the updates need not fit into memory. The rows can be single updates or the
 * means of cohorts. Rows are read before the next block and not kept.
 */
export type RobustRule = (cohort: Cohort) => Generator<Pass, Float64Array<ArrayBuffer>, void>;

/** Runs a rule over updates in memory. */
export function aggregateRobustly(
  rule: RobustRule,
  updates: readonly Float32Array[],
  numExamples: readonly number[] = updates.map(() => 1),
): Float64Array<ArrayBuffer> {
  const length = updates[0]?.length ?? 0;
  const run = rule(cohortOf(numExamples, length));
  for (;;) {
    const next = run.next();
    if (next.done === true) return next.value;
    for (let begin = 0; begin < length; begin += BLOCK) {
      const end = Math.min(length, begin + BLOCK);
      const rows = updates.map((update) => {
        if (update.length !== length) {
          throw new RangeError(`robust: updates of ${length} values expected, got ${update.length}`);
        }
        return update.subarray(begin, end);
      });
      next.value({ begin, length: end - begin, rows });
    }
  }
}

/** Coordinates at a time: a few dozen rows stay in the processor's cache. */
const BLOCK = 8192;

function cohortOf(numExamples: readonly number[], length: number): Cohort {
  if (numExamples.length === 0) throw new RangeError("robust: at least one update expected");
  for (const weight of numExamples) {
    if (!(weight > 0 && weight < Infinity)) {
      throw new RangeError(`robust: numExamples above 0 expected, got ${weight}`);
    }
  }
  return { numExamples, length };
}

/** The shares of weights in their sum. */
export function shares(weights: ArrayLike<number>): Float64Array<ArrayBuffer> {
  const result = Float64Array.from(weights);
  const total = result.reduce((sum, weight) => sum + weight, 0);
  return result.map((weight) => weight / total);
}
