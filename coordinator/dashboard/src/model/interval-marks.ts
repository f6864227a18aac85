interface Interval {
  readonly lower: number;
  readonly improvement: number;
  readonly upper: number;
  readonly required: number;
}

/** Room on either side, of the span of what is shown. */
const MARGIN = 0.15;

/** Where an interval and what is required lie on a line from 0 to 100; no change is on it too. */
export function intervalMarks(values: Interval): Interval {
  const shown = [values.lower, values.upper, values.required, 0];
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const span = high - low || 1;
  const at = (value: number): number => ((value - low) / span + MARGIN) * (100 / (1 + 2 * MARGIN));
  return {
    lower: at(values.lower),
    improvement: at(values.improvement),
    upper: at(values.upper),
    required: at(values.required),
  };
}
