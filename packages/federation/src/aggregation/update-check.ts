import { failure, type Digest, type RoundId, type TaskName } from "@tributary/core";
import { checkMetrics, trainingMetrics } from "@tributary/metrics";
import type { DecodedUpdateHeader, UpdateHeader } from "@tributary/protocol";

/** What an update of a round has to be. */
export interface UpdateRules {
  readonly roundId: RoundId;
  readonly task: TaskName;
  readonly schemaDigest: Digest;
  /** Its values: weights, then statistics. */
  readonly weightCount: number;
  readonly statisticCount: number;
  /** L2 norm its weights may have. */
  readonly maxUpdateNorm: number;
  /** Most that one statistic may change. */
  readonly maxStatisticChange: number;
  /** Most examples the plan lets a device train on. */
  readonly maxExamples: number;
}

/** What is kept of an update besides its values. */
export interface CheckedUpdate {
  readonly numExamples: number;
  /** Coordinates of `trainingMetrics`. */
  readonly metrics: Float64Array<ArrayBuffer>;
  /** Of its weights. */
  readonly norm: number;
}

/** Sees an update once, in pieces, before a single value of it is used. What it throws is why the update does not count. */
export interface UpdateChecker {
  /** First. @throws `update/*`: mismatched-round, wrong-shape, invalid-weight, invalid-metrics */
  header(header: DecodedUpdateHeader): void;
  /** Values from `offset` on. @throws `update/not-finite` */
  values(offset: number, values: Float32Array): void;
  /** Last. @throws `update/norm-too-large`, `update/statistic-out-of-range` */
  finish(): CheckedUpdate;
}

/** @param numExamples what the device said in `ready` */
export function createUpdateChecker(rules: UpdateRules, numExamples: number): UpdateChecker {
  let metrics = new Float64Array();
  let squares = 0;
  let change = 0;
  return {
    header({ header }) {
      checkHeader(header, rules, numExamples);
      metrics = checkMetrics(trainingMetrics, header.metrics);
    },
    values(offset, values) {
      const weights = Math.max(0, Math.min(values.length, rules.weightCount - offset));
      for (let i = 0; i < weights; i++) squares += values[i]! * values[i]!;
      // NaN stays NaN, whatever comes after.
      for (let i = weights; i < values.length; i++) change = Math.max(change, Math.abs(values[i]!));
      // A sum of squares is finite exactly when every float32 in it is: their squares cannot overflow float64.
      if (!Number.isFinite(squares + change)) throw notFinite(offset, values);
    },
    finish() {
      const norm = Math.sqrt(squares);
      if (norm > rules.maxUpdateNorm) {
        throw failure(
          "update/norm-too-large",
          `update: norm ${norm}, the task allows ${rules.maxUpdateNorm}`,
          { detail: { norm, maxUpdateNorm: rules.maxUpdateNorm } },
        );
      }
      if (change > rules.maxStatisticChange) {
        throw failure(
          "update/statistic-out-of-range",
          `update: a running statistic changes by ${change}, the task allows ${rules.maxStatisticChange}`,
          { detail: { change, maxStatisticChange: rules.maxStatisticChange } },
        );
      }
      return { numExamples, metrics, norm };
    },
  };
}

function checkHeader(header: UpdateHeader, rules: UpdateRules, numExamples: number): void {
  if (header.roundId !== rules.roundId || header.task !== rules.task) {
    throw failure(
      "update/mismatched-round",
      `update: made for ${header.task} ${header.roundId}, sent to ${rules.task} ${rules.roundId}`,
      { detail: { roundId: header.roundId, task: header.task } },
    );
  }
  const expected = rules.weightCount + rules.statisticCount;
  if (header.schemaDigest !== rules.schemaDigest || header.count !== expected) {
    throw failure(
      "update/wrong-shape",
      `update: ${header.count} values of schema ${header.schemaDigest}, expected ${expected} of ${rules.schemaDigest}`,
      { detail: { got: header.count, expected } },
    );
  }
  if (header.numExamples !== numExamples || numExamples < 1 || numExamples > rules.maxExamples) {
    throw failure(
      "update/invalid-weight",
      `update: ${header.numExamples} examples, announced were ${numExamples}, the plan allows ${rules.maxExamples}`,
      { detail: { got: header.numExamples, announced: numExamples, maxExamples: rules.maxExamples } },
    );
  }
}

function notFinite(offset: number, values: Float32Array): Error {
  const index = offset + values.findIndex((value) => !Number.isFinite(value));
  return failure("update/not-finite", `update: value ${index} is not finite`, { detail: { index } });
}
