import type { Tensor } from "@tributary/tensor";
import type { Outputs } from "./engine.ts";

/** Largest accepted relative error between engines. They differ by about 1e-7 when both are right. */
export const MAX_RELATIVE_ERROR = 1e-3;

export interface CheckResult {
  readonly agrees: boolean;
  /** Largest over all outputs of the reference. */
  readonly relativeError: number;
  /** The output it was seen at, by the reference's name; null where there was no error. */
  readonly worstOutput: string | null;
}

/**
 * Compares every output of the reference, by relative error: max|a-b| / max|a|.
 *
 * @param maxRelativeError - 1e-3 where left out
 */
export function compareOutputs(
  expected: Outputs,
  got: Outputs,
  maxRelativeError: number = MAX_RELATIVE_ERROR,
): CheckResult {
  const worst = worstError(expected, got);
  return { agrees: worst.relativeError <= maxRelativeError, ...worst };
}

/** Values so far below the largest of all outputs are rounding: gradients that are zero in truth. */
const NOISE_FLOOR = 1e-6;

/** Largest over all outputs of max|a-b| / max|a|; infinite when an output is missing, resized or not finite. */
function worstError(
  trusted: Readonly<Record<string, Tensor>>,
  tried: Readonly<Record<string, Tensor>>,
): Pick<CheckResult, "relativeError" | "worstOutput"> {
  const compared = Object.entries(trusted).map(([name, expected]) => ({
    name,
    ...differenceOf(expected, tried[name]),
  }));
  const floor = NOISE_FLOOR * Math.max(0, ...compared.map(({ magnitude }) => magnitude));
  let relativeError = 0;
  let worstOutput: string | null = null;
  for (const { name, difference, magnitude } of compared) {
    const error = difference === 0 ? 0 : difference / Math.max(magnitude, floor, Number.MIN_VALUE);
    if (error <= relativeError) continue;
    relativeError = error;
    worstOutput = name;
  }
  return { relativeError, worstOutput };
}

function differenceOf(
  expected: Tensor,
  got: Tensor | undefined,
): { readonly difference: number; readonly magnitude: number } {
  let difference = 0;
  let magnitude = 0;
  if (got === undefined || got.data.length !== expected.data.length)
    return { difference: Infinity, magnitude };
  for (let index = 0; index < expected.data.length; index++) {
    const a = Number(expected.data[index]);
    const b = Number(got.data[index]);
    if (!Number.isFinite(a) || !Number.isFinite(b)) {
      // Infinities of one sign agree; a NaN agrees with nothing.
      if (a !== b) difference = Infinity;
      continue;
    }
    difference = Math.max(difference, Math.abs(a - b));
    magnitude = Math.max(magnitude, Math.abs(a));
  }
  return { difference, magnitude };
}
