import { createUpdateChecker, type CheckedUpdate, type UpdateRules } from "@tributary/federation/aggregation";
import { readUpdate, type UpdateFile } from "./update-file.ts";

/**
 * Checks everything about a received update, in one pass over its file, before a single value of it is used.
 *
 * @param numExamples what the device said in `ready`
 * @throws `update/*`: invalid-header, mismatched-round, wrong-shape, invalid-weight, invalid-metrics, not-finite, norm-too-large, statistic-out-of-range
 */
export async function checkUpdate(
  file: UpdateFile,
  buffer: Uint8Array<ArrayBuffer>,
  rules: UpdateRules,
  numExamples: number,
): Promise<CheckedUpdate> {
  const checker = createUpdateChecker(rules, numExamples);
  await readUpdate(file, buffer, checker);
  return checker.finish();
}
