import type { Digest } from "@tributary/core";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import { roundEnded, type RoundState } from "@tributary/federation";
import type { PhaseRecord, RoundRecord } from "../ports/round-records.ts";
import { deltaPath } from "@tributary/protocol";
import { weightsPath } from "../releases/target-paths.ts";
import { roundRecord, type RoundFacts } from "./round-record.ts";
import type { PastRound, RoundRunOptions } from "./round-run-options.ts";

/** A point in time: for people, and for durations. */
interface Moment {
  readonly at: number;
  readonly steadyAt: number;
}

/** What a round's row tells beside the state of its machine: its times, what was downloaded, and what came of it. */
export class RoundAccount {
  /** Of what the round made, once it is measured. */
  evaluation: Pick<EvaluationResult, "loss" | "accuracy"> | undefined;
  /** Of a round of measurements, once its sums are known. */
  measuredExamples: number | undefined;
  readonly #options: RoundRunOptions;
  readonly #started: Moment;
  #downloads: readonly Digest[];
  /** First offer, in steady time. */
  #trainedSince: number | null;
  #bytesDown: number;
  #phases: readonly PhaseRecord[];

  constructor(options: RoundRunOptions, past?: PastRound) {
    this.#options = options;
    const startedAt = past?.record.startedAt;
    this.#started = startedAt === undefined ? this.#now() : { at: startedAt, steadyAt: startedAt };
    this.#trainedSince = past?.trainingAt ?? null;
    this.#bytesDown = past?.record.bytesDown ?? 0;
    this.#phases = past?.record.phases ?? [];
    this.#downloads = downloadsOf(options);
  }

  /** The base may come as a step from the version before. */
  async countDelta(): Promise<void> {
    const { services, base } = this.#options;
    const { model, version, parentVersion } = base;
    if (parentVersion === null) return;
    const path = deltaPath(weightsPath(model, version), parentVersion);
    const delta = await services.store.releases.target(path);
    if (delta !== undefined) this.#downloads = [...this.#downloads, delta.digest];
  }

  trainingBegan(): void {
    this.#trainedSince = this.#options.services.steadyNow();
  }

  /** Whether a blob is what devices get for this round. */
  uses(digest: Digest): boolean {
    return this.#downloads.includes(digest);
  }

  /** Bytes of what it uses were sent to a device. */
  served(sizeBytes: number): void {
    this.#bytesDown += sizeBytes;
  }

  record(
    state: RoundState,
    { numExamples, ...received }: Pick<RoundFacts, "numExamples" | "metrics" | "bytesUp" | "unmasked">,
  ): RoundRecord {
    const { config, model, plan } = this.#options;
    const now = this.#now();
    const ended = roundEnded(state);
    const record = roundRecord(config, state, {
      ...received,
      model: model.name,
      startedAt: this.#started.at,
      endedAt: ended ? now.at : null,
      phases: this.#phases,
      now: now.at,
      seconds: ended ? (now.steadyAt - (this.#trainedSince ?? this.#started.steadyAt)) / 1000 : null,
      clockAheadMs: now.at - now.steadyAt,
      numExamples: this.measuredExamples ?? numExamples,
      knowsHits: plan?.plan.training.spec.noHits !== true,
      bytesDown: this.#bytesDown,
      loss: this.evaluation?.loss ?? null,
      accuracy: this.evaluation?.accuracy ?? null,
    });
    // The end may yet be another: a commit that fails.
    if (!ended) this.#phases = record.phases;
    return record;
  }

  #now(): Moment {
    const { env, steadyNow } = this.#options.services;
    return { at: env.clock.now(), steadyAt: steadyNow() };
  }
}

/** What devices get for a round. */
function downloadsOf({ measurement, plan, base, config }: RoundRunOptions): readonly Digest[] {
  const { candidate, graph = null } = measurement ?? { candidate: null };
  return [
    base.weights.digest,
    config.plan.digest,
    ...(plan?.trainingGraphs ?? []),
    ...(candidate === null ? [] : [candidate.weights.digest]),
    ...(graph === null ? [] : [graph]),
  ];
}
