/** Whether a version answers on this device as it did where it was published: a few signed numbers, and a seed for what was asked. */
import { tensor, type Tensor } from "@tributary/tensor";
import { compareOutputs, MAX_RELATIVE_ERROR, type CheckResult } from "./compare.ts";
import type { Outputs } from "./engine.ts";

/** The first values of an output. */
export interface ExpectedOutput {
  readonly name: string;
  readonly values: readonly number[];
}

/** What a version is signed with: largest relative error between its answers here and where it was published. */
export const SELF_CHECK_TOLERANCE = MAX_RELATIVE_ERROR;
/** Values that are kept of each output. */
export const SELF_CHECK_VALUES = 64;

/**
 * What is kept of the outputs of one row: the beginnings of those of float32; integers are often the place of a largest value, which
 * another engine's rounding may move. Undefined where there are none, or some are not finite.
 */
export function expectedOutputs(outputs: Outputs): readonly ExpectedOutput[] | undefined {
  const expected = Object.entries(outputs).flatMap(([name, { dtype, data }]) =>
    dtype === "float32"
      ? [{ name, values: Array.from((data as Float32Array).subarray(0, SELF_CHECK_VALUES)) }]
      : [],
  );
  const isWhole = expected.every(({ values }) => values.length > 0 && values.every(Number.isFinite));
  return expected.length > 0 && isWhole ? expected : undefined;
}

/** @param tolerance - largest relative error: max|a-b| / max|a| */
export function checkExpected(
  expected: readonly ExpectedOutput[],
  outputs: Outputs,
  tolerance: number,
): CheckResult {
  const trusted: Record<string, Tensor> = {};
  const tried: Record<string, Tensor> = {};
  for (const { name, values } of expected) {
    const shape = [values.length];
    trusted[name] = tensor("float32", shape, Float32Array.from(values));
    const got = outputs[name];
    if (got?.dtype !== "float32" || got.data.length < values.length) continue;
    tried[name] = tensor("float32", shape, (got.data as Float32Array).slice(0, values.length));
  }
  return compareOutputs(trusted, tried, tolerance);
}
