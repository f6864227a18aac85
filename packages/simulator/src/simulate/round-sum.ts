import { failure, type ModelVersion } from "@tributary/core";
import { impossibleIn, type RoundConfig } from "@tributary/federation";
import { createMetrics, trainingMetrics } from "@tributary/metrics";
import type { VerifyMember } from "@tributary/protocol";
import { MeasuredUpdates } from "./measured-updates.ts";
import { PlainUpdates } from "./plain-updates.ts";
import type { PreparedTask } from "./prepare-task.ts";
import type { RoundWork } from "./round-work.ts";
import { SecureUpdates } from "./secure-updates.ts";

/** What a round's devices tell, one by one or under masks, and what comes of it. */
export class RoundSum {
  /** Of what is reported one by one. */
  readonly reported: PlainUpdates | MeasuredUpdates;
  /** Undefined: the round is not secure. */
  readonly secure: SecureUpdates | undefined;
  readonly #task: PreparedTask;
  readonly #work: RoundWork;

  constructor(task: PreparedTask, config: RoundConfig, work: RoundWork, verifyMember: VerifyMember) {
    this.#task = task;
    this.#work = work;
    this.reported =
      work.type === "measure"
        ? new MeasuredUpdates(work.gate.plan, config.roundId)
        : new PlainUpdates(
            task.rules,
            config.roundId,
            // A cohort of a buffer is averaged; what the strategy compares is the means of cohorts.
            config.buffered === true ? { kind: "mean" } : task.strategy.strategy.aggregation,
            work.rootUpdate,
          );
    const { secure } = work.type === "measure" ? work.gate : task.rules;
    this.secure = secure === null ? undefined : new SecureUpdates({ config, secure, verifyMember });
  }

  /** `trainingMetrics` of whose updates are in it. */
  get metrics(): Float64Array<ArrayBuffer> {
    if (this.secure !== undefined) return this.secure.metrics;
    return this.reported instanceof PlainUpdates ? this.reported.metrics : createMetrics(trainingMetrics);
  }

  /**
   * What it makes; null: it was measured, and there is no version.
   *
   * @throws `secagg/*`, `aggregation/*`, `round/*`
   */
  async commit(): Promise<ModelVersion | "buffered" | null> {
    const { reported, secure } = this;
    const work = this.#work;
    if (work.type === "train" && reported instanceof PlainUpdates)
      return work.commit(await (secure?.mean(this.#task.rules) ?? reported.mean()));
    if (work.type === "train" || reported instanceof PlainUpdates)
      throw new TypeError("simulate: what was reported is not what the round is about");
    const { sums, devices } = (await secure?.measured()) ?? reported;
    const wrong = impossibleIn(work.gate.plan, sums, devices);
    if (wrong !== undefined) {
      throw failure("round/secure-sum-refused", `simulate: the sum has ${wrong.what}`, {
        detail: wrong.detail,
      });
    }
    work.commit(sums, devices);
    return null;
  }
}
