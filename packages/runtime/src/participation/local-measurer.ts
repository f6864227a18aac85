import { asModelName, encodeHex, failure, seededRandom, sha256 } from "@tributary/core";
import { boundMetrics, requireMetricSegments } from "@tributary/federation";
import { exampleRuns } from "@tributary/engine/batches";
import { shuffledOrder } from "@tributary/engine/training";
import { evaluationMetrics, evaluationVector, pairedMetrics, pairedVector } from "@tributary/metrics";
import {
  createMemberVerifier,
  encodeUpdate,
  isHeldOut,
  metricsDigest,
  type EvaluationPlan,
  type MeasurementOffer,
  type MeasurementPlan,
} from "@tributary/protocol";
import { parametersFromSafetensors, type ParameterSet } from "@tributary/tensor";
import type { TelemetryRecorder } from "../telemetry/recorder.ts";
import { requireOwn } from "../updater/require-own.ts";
import { createContributions } from "./contributions.ts";
import type { LocalTrainerOptions, LocalUpdate } from "./local-trainer.ts";
import { evaluationWeights, measureExamples } from "./measure-examples.ts";
import { createSeparations } from "./separations.ts";
import { requireSecureTask } from "./secure-task.ts";

export interface LocalMeasurerOptions extends LocalTrainerOptions {
  readonly recorder: Pick<TelemetryRecorder, "read" | "spend">;
}

/** Turns an offer of a measurement into a vector: everything it names is verified first. */
export interface LocalMeasurer {
  measure(offer: MeasurementOffer, signal: AbortSignal): Promise<LocalUpdate>;
}

/** A vector, and how many examples it stands for. */
interface Measured {
  readonly vector: Float64Array<ArrayBuffer>;
  readonly numExamples: number;
  /** To be called when the vector leaves the device. */
  readonly spent: () => Promise<void>;
}

export function createLocalMeasurer(options: LocalMeasurerOptions): LocalMeasurer {
  const { releases, engines, settings, env, identity, limits, population, recorder } = options;
  const contributions = createContributions(settings, limits.maxContributionsPerVersion);

  const separations = createSeparations(settings, env.clock, limits.minimumSeparationMs);
  // It remembers members that it has met.
  const verifyMember = createMemberVerifier();

  const verified = async (offer: MeasurementOffer, signal: AbortSignal): Promise<MeasurementPlan> => {
    await releases.atLeast(offer.timestampVersion, signal);
    const { plan, target } = await releases.measurementPlan(offer.planTarget, signal);
    if (target.sha256 !== offer.planDigest) throw refused(offer, "names another plan than the release");
    if (plan.task !== offer.task)
      throw refused(offer, `is for task ${offer.task}, its plan for ${plan.task}`);
    if (plan.population !== population) throw refused(offer, `has a plan for population ${plan.population}`);
    return plan;
  };

  const weightsOf = async (
    offer: MeasurementOffer,
    plan: EvaluationPlan,
    wanted: { readonly weightsTarget: string; readonly weightsDigest: string },
    signal: AbortSignal,
  ): Promise<ParameterSet> => {
    requireOwn(plan.model, [wanted.weightsTarget]);
    const { sha256: released } = await releases.target(wanted.weightsTarget, signal);
    if (released !== wanted.weightsDigest) throw refused(offer, "names other weights than the release");
    const bytes = await releases.fetchTarget(wanted.weightsTarget, { signal, keep: false });
    return parametersFromSafetensors(plan.parameters, bytes);
  };

  const evaluate = async (
    offer: MeasurementOffer,
    plan: EvaluationPlan,
    signal: AbortSignal,
  ): Promise<Measured> => {
    const { candidate, task } = offer;
    const { specs } = candidate === undefined ? evaluationMetrics : pairedMetrics;
    if (plan.metrics.map(({ name }) => name).join() !== Object.keys(specs).join())
      throw refused(offer, "has a plan of other metrics than its versions are measured by");
    if (plan.heldOutShare !== undefined && !(await isOwnTurn(offer, plan.heldOutShare, signal)))
      throw refused(offer, "is for held-out devices, of which this is none");
    // A sum of one version over and over, with a member more or less, would tell what that member gave.
    const version = Math.max(offer.baseVersion, candidate?.version ?? 0);
    if (plan.secureAggregation !== undefined) await contributions.requireRoom(task, version);
    const examples = await options.examples.read(asModelName(plan.model));
    if (examples.length === 0) {
      throw failure("federation/no-examples", "measure: there are no labelled examples on this device");
    }
    const random = seededRandom(encodeHex(env.random.bytes(16)));
    const order = shuffledOrder(examples.length, random).slice(0, plan.maxExamples);
    const base = await weightsOf(offer, plan, offer, signal);
    const { target, spec } = plan.evaluation;
    const graph = await releases.target(target, signal);
    const lease = await engines.openTraining({
      key: graph.sha256,
      format: plan.format ?? "onnx",
      model: () => releases.fetchTarget(target, { signal }),
      sample: () => {
        const [run] = exampleRuns(spec, (index) => examples[index]!, [0]);
        return { ...evaluationWeights(spec, base), ...run?.feeds };
      },
      signal,
    });
    options.onEngine(lease);
    try {
      const shared = { session: lease.session, spec, examples, order, signal, pace: options.pace };
      const current = await measureExamples({ ...shared, weights: base });
      const bounds = { maxLoss: plan.maxExampleLoss, maxDifference: plan.maxLossDifference };
      const vector =
        candidate === undefined
          ? evaluationVector(current, bounds)
          : pairedVector(
              current,
              await measureExamples({ ...shared, weights: await weightsOf(offer, plan, candidate, signal) }),
              bounds,
            );
      return { vector, numExamples: order.length, spent: () => contributions.add(task, version) };
    } finally {
      await lease.release();
    }
  };

  const isOwnTurn = async (
    { task }: MeasurementOffer,
    share: number,
    signal: AbortSignal,
  ): Promise<boolean> => {
    await identity.certificate(signal);
    return identity.deviceId !== undefined && isHeldOut(identity.deviceId, task, share);
  };

  const telemetry = (offer: MeasurementOffer, plan: MeasurementPlan): Measured => {
    const { model, metrics } = plan;
    const vector = recorder.read(model, offer.baseVersion, metrics);
    // A sum over a cohort of which few ran the version would tell of those few.
    if (vector.every((value) => value === 0)) {
      throw failure(
        "federation/no-examples",
        `measure: nothing was counted of version ${offer.baseVersion} here`,
      );
    }
    return {
      vector,
      // What it stands for is in the vector; nothing of it is told besides.
      numExamples: 1,
      spent: async () => recorder.spend(model, offer.baseVersion, metrics, vector),
    };
  };

  return {
    async measure(offer, signal) {
      const startedAtMs = env.clock.monotonicMs();
      const plan = await verified(offer, signal);
      const secure = plan.secureAggregation;
      await separations.begin(offer, plan.selection);
      await requireSecureTask(offer.task, secure, options, signal);
      const measured =
        plan.kind === "evaluate" ? await evaluate(offer, plan, signal) : telemetry(offer, plan);
      const vector = boundMetrics(plan.metrics, measured.vector);
      const facts = () => ({
        measured: plan.kind,
        numExamples: measured.numExamples,
        durationMs: env.clock.monotonicMs() - startedAtMs,
      });
      if (secure !== undefined) {
        requireMetricSegments(plan.metrics, secure.encoding.segments);
        const { createMetricMember } = await import("./secure-member.ts");
        const member = createMetricMember({
          offer,
          plan: secure,
          population,
          verifyMember,
          metrics: plan.metrics,
          vector,
          identity,
          certificate: await identity.certificate(signal),
          log: options.log,
          minimumCohort: limits.minimumCohort,
          crypto: await options.openSecAggCrypto(),
          env,
          beforeSpending: measured.spent,
        });
        return { ...facts(), member };
      }
      const header = {
        roundId: offer.roundId,
        task: offer.task,
        schemaDigest: metricsDigest(plan.metrics),
        numExamples: measured.numExamples,
        metrics: [],
      };
      const body = encodeUpdate(header, Float32Array.from(vector));
      return { ...facts(), body, digest: sha256(body), metrics: [], spent: measured.spent };
    },
  };
}

function refused({ roundId }: MeasurementOffer, why: string): Error {
  return failure("federation/plan-refused", `measure: the offer of round ${roundId} ${why}`, {
    detail: { roundId },
  });
}
