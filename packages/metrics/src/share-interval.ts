import { studentQuantile } from "./student-t.ts";

/** So many degrees of freedom that Student's t is the normal distribution, to eight digits. */
const NORMAL_DEGREES = 1e8;

/** Bounds of a share, such as an accuracy. */
export interface ShareInterval {
  readonly lower: number;
  readonly upper: number;
}

/**
 * Between what a share lies with a confidence, by what was found of independent examples: Wilson's score interval (1927), which
 * stays within 0 and 1 and holds for small samples and shares near their ends.
 *
 * @param share - from 0 to 1
 * @param count - examples, at least 1
 * @param confidence - of both bounds together, above 0 and below 1
 */
export function shareInterval(share: number, count: number, confidence: number): ShareInterval {
  if (!(share >= 0 && share <= 1))
    throw new RangeError(`shareInterval: a share from 0 to 1 expected, got ${share}`);
  if (!(Number.isSafeInteger(count) && count >= 1))
    throw new RangeError(`shareInterval: at least one example expected, got ${count}`);
  if (!(confidence > 0 && confidence < 1))
    throw new RangeError(`shareInterval: a confidence between 0 and 1 expected, got ${confidence}`);
  const z = studentQuantile((1 + confidence) / 2, NORMAL_DEGREES);
  const scale = 1 + z ** 2 / count;
  const center = share + z ** 2 / (2 * count);
  const reach = z * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return {
    lower: share === 0 ? 0 : Math.max(0, (center - reach) / scale),
    upper: share === 1 ? 1 : Math.min(1, (center + reach) / scale),
  };
}
