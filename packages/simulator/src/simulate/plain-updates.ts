import { aggregateRobustly, fedAvg, type Aggregation } from "@tributary/aggregation";
import { failure, sha256, type DeviceId, type RoundId } from "@tributary/core";
import type { UpdateClaim } from "@tributary/federation";
import {
  compares,
  createUpdateChecker,
  createUpdateSum,
  readyRule,
  updateRules,
  type CheckedUpdate,
  type PlanRules,
  type RoundMean,
} from "@tributary/federation/aggregation";
import { addMetrics, createMetrics, trainingMetrics } from "@tributary/metrics";
import { decodeUpdateHeader, updateValues } from "@tributary/protocol";

/** An update that passed every check. */
interface Held {
  readonly values: Float32Array;
  readonly checked: CheckedUpdate;
}

/** The updates of a round where the server sees each: checked as a coordinator checks them, and added up. */
export class PlainUpdates {
  readonly metrics = createMetrics(trainingMetrics);
  readonly #rules: PlanRules;
  readonly #roundId: RoundId;
  readonly #aggregation: Aggregation;
  readonly #rootUpdate: () => Promise<Float32Array>;
  readonly #checked = new Map<DeviceId, Held>();
  readonly #sum: ReturnType<typeof createUpdateSum> | undefined;
  /** Where the strategy compares updates. */
  readonly #held: Held[] = [];

  /** @param rootUpdate trains what a strategy compares updates with: weights, in the layout's order */
  constructor(
    rules: PlanRules,
    roundId: RoundId,
    aggregation: Aggregation,
    rootUpdate: () => Promise<Float32Array>,
  ) {
    this.#rootUpdate = rootUpdate;
    this.#rules = rules;
    this.#roundId = roundId;
    this.#aggregation = aggregation;
    this.#sum = compares(aggregation) ? undefined : createUpdateSum(aggregation, rules);
  }

  /** @throws `update/*` */
  check(device: DeviceId, claim: UpdateClaim, body: Uint8Array<ArrayBuffer>): void {
    const digest = sha256(body);
    if (digest !== claim.updateDigest) {
      throw failure(
        "update/digest-mismatch",
        `update: the body is ${digest}, announced was ${claim.updateDigest}`,
        { detail: { announced: claim.updateDigest } },
      );
    }
    const header = decodeUpdateHeader(body);
    const values = updateValues(body.subarray(header.payloadOffset));
    const checker = createUpdateChecker(updateRules(this.#rules, this.#roundId), claim.numExamples);
    checker.header(header);
    checker.values(0, values);
    this.#checked.set(device, { values, checked: checker.finish() });
  }

  /** The machine counted this device's update. */
  accumulate(device: DeviceId): void {
    const update = this.#checked.get(device)!;
    this.#checked.delete(device);
    const { values, checked } = update;
    addMetrics(this.metrics, checked.metrics);
    if (this.#sum === undefined) this.#held.push(update);
    else {
      this.#sum.addChunk(0, values, checked.numExamples);
      this.#sum.count(checked.numExamples);
    }
  }

  async mean(): Promise<RoundMean> {
    if (!compares(this.#aggregation)) return this.#sum!.mean();
    const { weightCount, statisticCount } = this.#rules;
    const numExamples = this.#held.map(({ checked }) => checked.numExamples);
    const weights = this.#held.map(({ values }) => values.subarray(0, weightCount));
    const statistics = fedAvg.init(statisticCount);
    for (const [i, { values }] of this.#held.entries()) {
      fedAvg.accumulateChunk(statistics, 0, values.subarray(weightCount), numExamples[i]!);
      fedAvg.countUpdate(statistics, numExamples[i]!);
    }
    const { rule, trust: trustOf } = await readyRule(this.#aggregation, this.#rootUpdate);
    const aggregate = aggregateRobustly(rule, weights, numExamples);
    const trust = trustOf();
    return {
      weights: aggregate,
      statistics: fedAvg.mean(statistics),
      updates: this.#held.length,
      totalExamples: numExamples.reduce((sum, each) => sum + each, 0),
      ...(trust === undefined ? {} : { trust }),
    };
  }
}
