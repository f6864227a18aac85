import { encodeHex, failure, seededRandom, sha256, type Digest, type Env } from "@tributary/core";
import { trainingMetrics, createMetrics, count } from "@tributary/metrics";
import { encodeUpdate, learningRateAt, type Offer, type Plan } from "@tributary/protocol";
import { parametersFromSafetensors, schemaDigest, type ParameterSet } from "@tributary/tensor";
import { asModelName } from "@tributary/core";
import type { EngineProvider } from "../engine-provider.ts";
import { train, type TrainProgress } from "../learner/train.ts";
import type { DeviceStore } from "../store/device-store.ts";
import type { Releases, VerifiedPlan } from "../updater/releases.ts";

/** A finished update, as it will be uploaded. */
export interface LocalUpdate {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly digest: Digest;
  readonly numExamples: number;
  /** `trainingMetrics` vector. */
  readonly metrics: readonly number[];
  /** Means over the last epoch. */
  readonly loss: number;
  readonly accuracy: number;
  readonly durationMs: number;
}

export interface LocalTrainerOptions {
  readonly releases: Releases;
  readonly engines: EngineProvider;
  readonly store: Pick<DeviceStore, "examples">;
  readonly population: string;
  readonly env: Env;
}

/** Turns an offer into an update: everything it names is verified first. */
export interface LocalTrainer {
  train(
    offer: Offer,
    options: { readonly signal: AbortSignal; readonly onProgress?: (progress: TrainProgress) => void },
  ): Promise<LocalUpdate>;
}

export function createLocalTrainer(options: LocalTrainerOptions): LocalTrainer {
  const { releases, engines, store, env } = options;

  /** The plan, its graph and the base weights are targets of verified metadata, and those the offer means. */
  const verify = async (
    offer: Offer,
    signal: AbortSignal,
  ): Promise<{ verified: VerifiedPlan; base: ParameterSet }> => {
    await releases.atLeast(offer.timestampVersion, signal);
    const verified = await releases.plan(offer.planTarget, signal);
    checkPlan(offer, verified, options.population);
    const weights = releases.target(offer.weightsTarget);
    if (weights.sha256 !== offer.weightsDigest)
      throw refused(offer, "names other base weights than the release");
    const bytes = await releases.fetchTarget(offer.weightsTarget, { signal, keep: false });
    return { verified, base: parametersFromSafetensors(verified.plan.parameters, bytes) };
  };

  return {
    async train(offer, { signal, onProgress }) {
      const startedAtMs = env.clock.monotonicMs();
      const { verified, base } = await verify(offer, signal);
      const { plan } = verified;
      const examples = await store.examples.read(asModelName(plan.model));
      const graph = releases.target(plan.training.target);
      const lease = await engines.openTraining({
        key: graph.sha256,
        model: () => releases.fetchTarget(plan.training.target, { signal }),
        signal,
      });
      try {
        const result = await train({
          session: lease.session,
          spec: plan.training.spec,
          base,
          examples,
          epochs: plan.local.epochs,
          learningRate: learningRateOf(plan, offer.round),
          maxExamples: plan.local.maxExamples,
          random: seededRandom(encodeHex(env.random.bytes(16))),
          signal,
          ...(onProgress === undefined ? {} : { onProgress }),
        });
        const { numExamples, lossSum, correct, steps } = result;
        const metrics = createMetrics(trainingMetrics);
        count(trainingMetrics, metrics, "lossSum", lossSum);
        count(trainingMetrics, metrics, "correct", correct);
        count(trainingMetrics, metrics, "examples", numExamples);
        count(trainingMetrics, metrics, "steps", steps);
        const header = {
          roundId: offer.roundId,
          task: offer.task,
          schemaDigest: schemaDigest(base.schema),
          numExamples,
          metrics: [...metrics],
        };
        const body = encodeUpdate(header, result.update);
        return {
          body,
          digest: sha256(body),
          numExamples,
          metrics: header.metrics,
          loss: lossSum / numExamples,
          accuracy: correct / numExamples,
          durationMs: env.clock.monotonicMs() - startedAtMs,
        };
      } finally {
        await lease.release();
      }
    },
  };
}

function checkPlan(offer: Offer, { plan, target }: VerifiedPlan, population: string): void {
  if (target.sha256 !== offer.planDigest) throw refused(offer, "names another plan than the release");
  if (plan.task !== offer.task) throw refused(offer, `is for task ${offer.task}, its plan for ${plan.task}`);
  if (plan.population !== population) throw refused(offer, `has a plan for population ${plan.population}`);
  const { spec } = plan.training;
  if (spec.batchSize !== plan.local.batchSize) {
    throw refused(
      offer,
      `has a graph for batches of ${spec.batchSize}, its plan says ${plan.local.batchSize}`,
    );
  }
  const trained = new Set(spec.parameters.map(({ name }) => name));
  const { baseParameters = spec.parameters } = spec;
  if (baseParameters.length !== spec.parameters.length) {
    throw refused(
      offer,
      `has a graph with ${baseParameters.length} base inputs for ${spec.parameters.length} parameters`,
    );
  }
  const unknown = missingParameter(plan, trained);
  if (unknown !== undefined)
    throw refused(offer, `has a graph that trains "${unknown}", which is no parameter`);
}

function learningRateOf({ local }: Plan, round: number): number {
  const { learningRate, learningRateSchedule = { kind: "constant" } } = local;
  return learningRateAt(learningRate, learningRateSchedule, round);
}

function missingParameter(plan: Plan, trained: ReadonlySet<string>): string | undefined {
  const known = new Set(plan.parameters.map(({ name }) => name));
  return [...trained].find((name) => !known.has(name));
}

function refused({ roundId }: Offer, why: string): Error {
  return failure("federation/plan-refused", `learner: the offer of round ${roundId} ${why}`, {
    detail: { roundId },
  });
}
