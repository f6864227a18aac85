import { asModelVersion, type ModelVersion, type RoundId } from "@tributary/core";
import { advanceGate, gateReason, judge, type GateState } from "@tributary/federation";
import { createMetrics, pairedMetrics, readPaired } from "@tributary/metrics";
import type { TaskReason, TaskSpec, VerdictView } from "@tributary/protocol";
import type { PreparedGate } from "./prepare-gate.ts";

/** Where the gate of a simulated task stands, and what of its model is released. */
export class GateCourse {
  readonly prepared: PreparedGate | null;
  readonly #spec: Pick<TaskSpec, "gate" | "release">;
  #state: GateState = { reference: asModelVersion(1), candidate: null, failures: 0, last: null };
  #released = asModelVersion(1);

  constructor(spec: Pick<TaskSpec, "gate" | "release">, prepared: PreparedGate | null) {
    this.#spec = spec;
    this.prepared = prepared;
  }

  /** The last version that passed, or the one that the task began with. */
  get reference(): ModelVersion {
    return this.#state.reference;
  }

  /** Waits for its verdict. */
  get candidate(): ModelVersion | null {
    return this.#state.candidate;
  }

  /** What inference devices run. */
  get released(): ModelVersion {
    return this.#released;
  }

  /** Why the task pauses, if it does. */
  get reason(): TaskReason | undefined {
    return this.#spec.gate === null ? undefined : gateReason(this.#state, this.#spec.gate);
  }

  committed(version: ModelVersion): void {
    if (this.#spec.release === "every") this.#released = version;
    if (this.#spec.gate !== null) this.#state = { ...this.#state, candidate: version };
  }

  /** @param sums of so many devices; left out: too few devices came */
  judge(
    round: { readonly roundId: RoundId; readonly candidate: ModelVersion; readonly now: number },
    sums: Float64Array = createMetrics(pairedMetrics),
    devices = 0,
  ): VerdictView {
    const verdict = judge(this.#spec.gate!, {
      sums: readPaired(sums),
      devices,
      reference: this.reference,
      roundId: round.roundId,
      at: new Date(round.now).toISOString(),
      knowsHits: this.prepared!.plan.evaluation.spec.noHits !== true,
    });
    this.#state = advanceGate(this.#state, round.candidate, verdict);
    if (verdict.result === "passed" && this.#spec.release === "on-gate") this.#released = round.candidate;
    return verdict;
  }
}
