import { failure } from "@tributary/core";
import type { EncodingPlan } from "./plan-encoding.ts";
import { rotateBack } from "./rotation.ts";

/**
 * Values of a sum of codes: for update and state segments the sum of (w / maxWeight) x values, for counts and reals
 * the plain sum. One array for each segment.
 *
 * @param sum - the codes' sum, reduced to each segment's ring
 * @param contributors - whose codes are in it
 * @throws TributaryError `secagg/value-out-of-range` for a sum that honest members cannot have made.
 */
export function decodeSum(plan: EncodingPlan, sum: Uint32Array, contributors: number): Float64Array[] {
  if (sum.length !== plan.vectorLength) {
    throw new RangeError(`decodeSum: ${plan.vectorLength} elements expected, got ${sum.length}`);
  }
  if (!Number.isInteger(contributors) || contributors < 1 || contributors > plan.spec.clients) {
    throw new RangeError(`decodeSum: 1 to ${plan.spec.clients} contributors expected, got ${contributors}`);
  }
  let start = 0;
  return plan.segments.map(({ segment, count, step, maxCode }) => {
    const codes = sum.subarray(start, start + count);
    start += count;
    const most = contributors * maxCode;
    const excess = codes.findIndex((code) => code > most);
    if (excess !== -1) {
      throw failure(
        "secagg/value-out-of-range",
        `secagg: ${segment.name}: sum ${excess} is ${codes[excess]!}, at most ${most} can come from ${contributors} members`,
        { detail: { segment: segment.name } },
      );
    }
    const origin =
      segment.codec === "counts" ? 0 : segment.codec === "reals" ? segment.minimum : -segment.bound;
    const values = Float64Array.from(codes, (code) => code * step + contributors * origin);
    if (segment.codec === "update" && segment.rotationBlock > 1)
      rotateBack(values, segment.rotationBlock, plan.spec.rotationSeed);
    return values;
  });
}
