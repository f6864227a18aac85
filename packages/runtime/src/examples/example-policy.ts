/** Which examples a device keeps: pure, so that a test can try all orders. */
import { MAX_EXAMPLES } from "../store/device-store.ts";

/** Which examples of a model stay on the device. What they say holds for those that are there already, too. */
export interface ExampleOptions {
  /** Most examples of the model, 1 to 10,000. @defaultValue 10,000 */
  readonly maxExamples?: number;
  /** Most examples of one class, 1 to 10,000; labels that are numbers have none. @defaultValue as many as `maxExamples` */
  readonly maxPerClass?: number;
  /**
   * Which ones stay where there are too many. "reservoir": a uniform random sample of all that were added since, so that a busy day does
   * not push out the rest. Each draws a number, and the least stay: the distribution is that of Vitter's Algorithm R (Random Sampling
   * with a Reservoir, ACM TOMS 11:1, 1985) without its count, which two tabs could not share (Efraimidis and Spirakis, Weighted Random
   * Sampling with a Reservoir, IPL 97:5, 2006, with equal weights).
   *
   * @defaultValue "newest"
   */
  readonly sampling?: "newest" | "reservoir";
  /** How long one stays, from 1000; it is erased with the next use of the examples after that. @defaultValue for ever */
  readonly maxAgeMs?: number;
  /** "drop": of examples with equal inputs the last one stays, with its label. @defaultValue "keep" */
  readonly duplicates?: "keep" | "drop";
}

export interface ExamplePolicy {
  readonly maxExamples: number;
  readonly maxPerClass: number;
  readonly sampling: "newest" | "reservoir";
  readonly maxAgeMs: number;
  readonly duplicates: "keep" | "drop";
}

export const EXAMPLE_DEFAULTS: ExamplePolicy = Object.freeze({
  maxExamples: MAX_EXAMPLES,
  maxPerClass: MAX_EXAMPLES,
  sampling: "newest",
  maxAgeMs: Number.POSITIVE_INFINITY,
  duplicates: "keep",
});

/** What a policy looks at. */
export interface PolicyEntry {
  /** Ascending in the order in which they were added. */
  readonly sequence: number;
  readonly addedAtMs: number;
  /** In [0, 1), drawn once for each example. */
  readonly draw: number;
  /** Undefined where the label is none of a class. */
  readonly className: string | undefined;
  /** Of the inputs. */
  readonly contentHash: string;
}

/**
 * Those that stay.
 *
 * @param entries in any order
 */
export function retained<Entry extends PolicyEntry>(
  policy: ExamplePolicy,
  entries: readonly Entry[],
  nowMs: number,
): Entry[] {
  const newestFirst = entries.toSorted((a, b) => b.sequence - a.sequence);
  const alive = newestFirst.filter(({ addedAtMs }) => nowMs - addedAtMs < policy.maxAgeMs);
  const distinct = policy.duplicates === "drop" ? firstOfEach(alive, (entry) => entry.contentHash) : alive;
  const preferred =
    policy.sampling === "newest"
      ? distinct
      : distinct.toSorted((a, b) => a.draw - b.draw || b.sequence - a.sequence);
  const counts = new Map<string, number>();
  const inClasses = preferred.filter(({ className }) => {
    if (className === undefined) return true;
    const count = counts.get(className) ?? 0;
    counts.set(className, count + 1);
    return count < policy.maxPerClass;
  });
  return inClasses.slice(0, policy.maxExamples);
}

function firstOfEach<Entry>(entries: readonly Entry[], keyOf: (entry: Entry) => string): Entry[] {
  const seen = new Set<string>();
  return entries.filter((entry) => {
    const key = keyOf(entry);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
