import {
  digestOf,
  encodeHex,
  encodeUtf8,
  failure,
  seededRandom,
  toFailure,
  type Env,
  type RoundId,
} from "@tributary/core";
import type { EngineName, Feeds } from "@tributary/engine";
import { exampleRuns } from "@tributary/engine/batches";
import {
  checkedWeights,
  checkUpdateLayout,
  matchingOutputs,
  train,
  type TrainingPace,
  type TrainProgress,
} from "@tributary/engine/training";
import {
  createMemberVerifier,
  isHeldOut,
  learningRateAt,
  type Offer,
  type Plan,
  type TrainingGraphDocument,
} from "@tributary/protocol";
import type { SecAggCrypto } from "@tributary/secagg";
import { parametersFromSafetensors, type ParameterSet } from "@tributary/tensor";
import { asModelName } from "@tributary/core";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import type { HeldBackMeasurement } from "../runtime.ts";
import { updateBody, type UpdateBody } from "../learner/update-body.ts";
import type { Examples } from "../examples/examples.ts";
import type { SettingStore } from "../store/device-store.ts";
import type { TrustLimits } from "../trust-limits.ts";
import type { Identity } from "../identity.ts";
import { requireOwn } from "../updater/require-own.ts";
import type { BaseWeights } from "./base-weights.ts";
import { createContributions } from "./contributions.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { ControlVariates } from "./control-variates.ts";
import { fits, heldBackFacts, measuring, requireNoExplosion, split } from "./held-back.ts";
import type { KeptControls } from "./kept-controls.ts";
import type { MicroBatches, OpenCut } from "./micro-batches.ts";
import type { LogView } from "./log-view.ts";
import type { PlannedReleases, VerifiedPlan } from "./plans.ts";
import { createSeparations } from "./separations.ts";
import type { SecureMember } from "./secure-member.ts";
import { requireSecureTask } from "./secure-task.ts";

/** A finished update, as it will leave the device: as a body of its own, or masked in a secure cohort. */
export type LocalUpdate = (TrainingFacts | MeasurementFacts) &
  (
    | (UpdateBody & {
        /** To be called when the coordinator has it. */
        readonly spent?: () => Promise<void>;
        /** To be called when the round is over; not called where the device did not hear of it. */
        readonly settle?: (committed: boolean) => Promise<void>;
      })
    | { readonly member: SecureMember }
  );

/** What was measured, for those who watch; the numbers themselves are only told of the cohort. */
interface MeasurementFacts {
  readonly measured: "evaluate" | "telemetry";
  readonly numExamples: number;
  readonly durationMs: number;
}

interface TrainingFacts {
  /** The round it is for. */
  readonly roundId: RoundId;
  readonly numExamples: number;
  /** Means over the last epoch. */
  readonly loss: number;
  readonly accuracy: number | null;
  readonly durationMs: number;
  readonly engine: EngineName;
  /** Why this engine and not a faster one, where there is something to tell. */
  readonly note?: string;
  readonly heldBack?: HeldBackMeasurement;
}

export interface LocalTrainerOptions {
  readonly releases: PlannedReleases;
  readonly engines: EngineProvider;
  readonly examples: Examples;
  readonly settings: SettingStore;
  /** Undefined: the storage of the device may not last. */
  readonly controls: KeptControls | undefined;
  readonly identity: Pick<Identity, "certificate" | "deviceId" | "sign">;
  readonly population: string;
  readonly log: LogView;
  readonly limits: TrustLimits;
  readonly openSecAggCrypto: () => Promise<SecAggCrypto>;
  readonly pace: TrainingPace;
  readonly microBatches: MicroBatches;
  /** Told what trains or measures, and why it. */
  readonly onEngine: (lease: SessionLease) => void;
  readonly checkpoints: Checkpoints;
  readonly baseWeights: BaseWeights;
  /** Share of the examples that a training leaves out. */
  readonly holdBack: () => number;
  readonly env: Env;
}

/** Turns an offer into an update: everything it names is verified first. */
export interface LocalTrainer {
  train(
    offer: Offer,
    options: {
      readonly signal: AbortSignal;
      readonly onProgress?: (progress: TrainProgress) => void;
      /** Asked when training is done: the offer, on the same base under the same plan, that the update is for. */
      readonly reportTo?: () => Offer;
    },
  ): Promise<LocalUpdate & Pick<TrainingFacts, "roundId">>;
}

export function createLocalTrainer(options: LocalTrainerOptions): LocalTrainer {
  const { releases, engines, settings, env, identity, limits, population } = options;
  const contributions = createContributions(settings, limits.maxContributionsPerVersion);
  const verifyMember = createMemberVerifier();
  const separations = createSeparations(settings, env.clock, limits.minimumSeparationMs);

  /** The plan, its graph and the base weights are targets of verified metadata, and those the offer means. */
  const verify = async (
    offer: Offer,
    signal: AbortSignal,
  ): Promise<{ verified: VerifiedPlan; base: ParameterSet }> => {
    await releases.atLeast(offer.timestampVersion, signal);
    const verified = await releases.plan(offer.planTarget, signal);
    checkPlan(offer, verified, options.population);
    requireOwn(verified.plan.model, [offer.weightsTarget]);
    const weights = await releases.target(offer.weightsTarget, signal);
    if (weights.sha256 !== offer.weightsDigest)
      throw refused(offer, "names other base weights than the release");
    const model = asModelName(verified.plan.model);
    const bytes = await options.baseWeights.fetch(model, offer.weightsTarget, signal);
    return { verified, base: parametersFromSafetensors(verified.plan.parameters, bytes) };
  };

  /** With a gate, what a held-out device measures must be nothing that it trained on. */
  const requireTraining = async (
    offer: Offer,
    { heldOutShare }: Plan,
    signal: AbortSignal,
  ): Promise<void> => {
    if (heldOutShare === undefined) return;
    await identity.certificate(signal);
    const { deviceId } = identity;
    if (deviceId !== undefined && !isHeldOut(deviceId, offer.task, heldOutShare)) return;
    throw refused(offer, "is to train, and this device is held out to measure");
  };

  const openControl = async (offer: Offer, plan: Plan, signal: AbortSignal): Promise<ControlVariates> => {
    const { controls } = options;
    if (controls === undefined) {
      throw failure(
        "federation/ineligible",
        `learner: task ${offer.task} has devices keep control variates from round to round, and the storage of this one may not last; it is for Node devices`,
        { detail: { task: offer.task, reason: "storage" } },
      );
    }
    // Only devices that meet such a task load it.
    const { openControlVariates } = await import("./control-variates.ts");
    const kept = controls.open(asModelName(plan.model), offer.task);
    return openControlVariates({ kept, releases, env }, offer, plan, signal);
  };

  return {
    async train(offer, { signal, onProgress, reportTo = () => offer }) {
      const startedAtMs = env.clock.monotonicMs();
      const { verified, base } = await verify(offer, signal);
      const { plan } = verified;
      await separations.begin(offer, plan.selection);
      const secure = plan.secureAggregation;
      await requireTraining(offer, plan, signal);
      if (secure !== undefined) await contributions.requireRoom(offer.task, offer.baseVersion);
      await requireSecureTask(offer.task, secure, options, signal);
      const control = plan.controlVariates === true ? await openControl(offer, plan, signal) : undefined;
      const learningRate = learningRateOf(plan, offer.trainingRound);
      const model = asModelName(plan.model);
      const all = await options.examples.read(model);
      const checkpoint = await options.checkpoints.open(
        {
          model,
          task: offer.task,
          fingerprint: await fingerprintOf(offer, await options.examples.revision(model)),
        },
        encodeHex(env.random.bytes(16)),
      );
      const { examples, heldBack } = split(all, options.holdBack(), checkpoint.seed);
      const graph = await releases.target(plan.training.target, signal);
      const { webgpu, spec: cpuSpec } = plan.training;
      const sampleOf = (spec: TrainingGraphDocument): Feeds => {
        const indices = Array.from({ length: Math.min(examples.length, spec.batchSize) }, (_, i) => i);
        const [run] = exampleRuns(spec, (index) => examples[index]!, indices, 1);
        return { ...checkedWeights(spec, base), ...run?.feeds };
      };
      const setting = `engine:training:${graph.sha256}`;
      const lease = await engines.openTraining({
        key: graph.sha256,
        format: plan.format ?? "onnx",
        model: () => releases.fetchTarget(plan.training.target, { signal }),
        sample: () => sampleOf(cpuSpec),
        webgpu: webgpu && {
          model: () => releases.fetchTarget(webgpu.target, { signal }),
          feeds: () => sampleOf(webgpu.spec),
          outputNames: matchingOutputs(cpuSpec, webgpu.spec),
        },
        remembered: await settings.read(setting).catch(() => undefined),
        remember: (choice) =>
          settings.write(setting, choice).catch((error: unknown) => {
            env.log.warn("engine choice not kept", { error: toFailure(error) });
          }),
        signal,
      });
      let cutting: OpenCut | undefined;
      options.onEngine(lease);
      try {
        const spec = webgpu !== undefined && lease.engine === "ort-webgpu" ? webgpu.spec : cpuSpec;
        const { session } = lease;
        const pace = options.pace;
        cutting = await options.microBatches.open(plan, lease, signal);
        const { cut } = cutting;
        const measure = measuring({ session, spec, base, examples: heldBack, pace, cut, signal });
        const before = await measure();
        // What control variates add is not in it, and forms of a graph name their weights differently.
        const { resume } = checkpoint;
        const result = await train({
          session,
          spec,
          layout: plan.update,
          base,
          pace,
          cut,
          resume: control === undefined && resume !== undefined && fits(spec, resume) ? resume : undefined,
          onState: control === undefined ? (state) => checkpoint.save(state) : undefined,
          examples,
          epochs: plan.local.epochs,
          learningRate,
          offsets: control?.offsets,
          maxExamples: plan.local.maxExamples,
          random: seededRandom(checkpoint.seed),
          signal,
          ...(onProgress === undefined ? {} : { onProgress }),
        });
        const after = await measure(result.trained);
        requireNoExplosion(result, before, after);
        const { numExamples, lossSum, correct, steps } = result;
        const { roundId } = reportTo();
        const facts = (): TrainingFacts => ({
          roundId,
          numExamples,
          loss: lossSum / numExamples,
          accuracy: cpuSpec.noHits === true ? null : correct / numExamples,
          durationMs: env.clock.monotonicMs() - startedAtMs,
          engine: lease.engine,
          ...(lease.note === undefined ? {} : { note: lease.note }),
          ...heldBackFacts(heldBack.length, before, after, cpuSpec.noHits === true),
        });
        if (secure !== undefined) {
          // Only devices that meet a secure task load it.
          const { createSecureMember } = await import("./secure-member.ts");
          const member = await createSecureMember({
            offer: { ...offer, roundId },
            plan: secure,
            population,
            layout: plan.update,
            maxUpdateNorm: plan.maxUpdateNorm,
            update: result.update,
            totals: { lossSum, correct, examples: numExamples, steps },
            identity,
            certificate: await identity.certificate(signal),
            log: options.log,
            verifyMember,
            minimumCohort: limits.minimumCohort,
            crypto: await options.openSecAggCrypto(),
            env,
            beforeSpending: () => contributions.add(offer.task, offer.baseVersion),
          });
          return { ...facts(), member };
        }
        return {
          ...facts(),
          ...updateBody({ ...offer, roundId }, plan, result),
          ...control?.after(result, learningRate),
        };
      } finally {
        await checkpoint.settled();
        await cutting?.close();
        await lease.release();
      }
    },
  };
}

/** Where all of this is the same, a state goes on to the same update. */
async function fingerprintOf(offer: Offer, revision: string): Promise<string> {
  const { planDigest, weightsDigest, trainingRound } = offer;
  return await digestOf(encodeUtf8(`${planDigest} ${weightsDigest} ${trainingRound} ${revision}`));
}

function checkPlan(offer: Offer, { plan, target }: VerifiedPlan, population: string): void {
  if (target.sha256 !== offer.planDigest) throw refused(offer, "names another plan than the release");
  if (plan.task !== offer.task) throw refused(offer, `is for task ${offer.task}, its plan for ${plan.task}`);
  if (plan.population !== population) throw refused(offer, `has a plan for population ${plan.population}`);
  const { spec, webgpu } = plan.training;
  for (const form of [spec, ...(webgpu === undefined ? [] : [webgpu.spec])]) checkGraph(offer, plan, form);
}

function checkGraph(offer: Offer, plan: Plan, spec: TrainingGraphDocument): void {
  if (spec.batchSize !== plan.local.batchSize) {
    throw refused(
      offer,
      `has a graph for batches of ${spec.batchSize}, its plan says ${plan.local.batchSize}`,
    );
  }
  const { baseParameters = spec.parameters } = spec;
  if (baseParameters.length !== spec.parameters.length) {
    throw refused(
      offer,
      `has a graph with ${baseParameters.length} base inputs for ${spec.parameters.length} parameters`,
    );
  }
  if ((plan.controlVariates === true) !== (spec.gradientOffsets !== undefined)) {
    throw refused(offer, "has a plan and a graph of which one alone knows of control variates");
  }
  if (plan.controlVariates === true && plan.secureAggregation !== undefined) {
    throw refused(offer, "has control variates under secure aggregation, which do not go together");
  }
  checkUpdateLayout(plan, spec);
}

function learningRateOf({ local }: Plan, round: number): number {
  const { learningRate, learningRateSchedule = { kind: "constant" } } = local;
  return learningRateAt(learningRate, learningRateSchedule, round);
}

function refused({ roundId }: Offer, why: string): Error {
  return failure("federation/plan-refused", `learner: the offer of round ${roundId} ${why}`, {
    detail: { roundId },
  });
}
