import { failure, sha256, type Env } from "@tributary/core";
import { boundMetrics, requireMetricSegments, type LocalUpdate } from "@tributary/federation";
import type { SecureRoundPlan } from "@tributary/federation/aggregation";
import {
  encodeUpdate,
  learningRateAt,
  metricsDigest,
  type MeasurementOffer,
  type Offer,
  type VerifyMember,
} from "@tributary/protocol";
import {
  createMetricMember,
  createSecureMember,
  type SecureMember,
  type Settlement,
} from "@tributary/runtime/internal-node";
import type { TrainResult } from "@tributary/engine/training";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";
import type { ClientData } from "../data/client-data.ts";
import type { Clients } from "../fleet-model/clients.ts";
import type { SimulatedIdentity } from "./identities.ts";
import type { PreparedGate } from "./prepare-gate.ts";
import type { PreparedTask } from "./prepare-task.ts";
import type { MeasuringWork, SharedWeights } from "./round-work.ts";
import { simulatedSecrets } from "./secrets.ts";
import type { TrainingPool } from "./training-pool.ts";
import type { SimulatedControls } from "./simulated-controls.ts";
import type { MeasuredVector, TrainedUpdate, TrainTask } from "./training-tasks.ts";

/** What a device works with. */
export interface DeviceMeans {
  readonly clients: Clients;
  readonly data: ClientData;
  readonly task: PreparedTask;
  readonly pool: TrainingPool;
  readonly env: Env;
  readonly verifyMember: VerifyMember;
  /** With SCAFFOLD: what devices keep from round to round. */
  readonly controls: SimulatedControls | undefined;
}

/** Devices trust a simulated task's own floor: what their apps would insist on is not simulated. */
const DEVICE_FLOOR = 3;

/** What a device makes for one round after the other: updates, and the secrets with which they leave. */
export class DeviceWork {
  readonly #means: DeviceMeans;
  readonly #client: number;
  readonly #identity: SimulatedIdentity | undefined;
  #abort: AbortController | undefined;
  #body: Uint8Array<ArrayBuffer> | undefined;
  #member: SecureMember | undefined;
  #settlement: Settlement | undefined;

  constructor(means: DeviceMeans, client: number, identity: SimulatedIdentity | undefined) {
    this.#means = means;
    this.#client = client;
    this.#identity = identity;
  }

  /** Local steps of a round. */
  get steps(): number {
    const { batchSize, epochs } = this.#means.task.rules.plan.local;
    return Math.ceil(this.#numExamples / batchSize) * epochs;
  }

  /** What it takes to measure two versions, in local steps: forward alone is a third of one. */
  get measuringSteps(): number {
    return (2 * this.#numExamples) / this.#means.task.rules.plan.local.batchSize / 3;
  }

  /** Bytes that its update takes. */
  get updateBytes(): number {
    const { secure, weightCount, statisticCount } = this.#means.task.rules;
    return secure?.encoding.packedBytes ?? 4 * (weightCount + statisticCount);
  }

  /** A finished update, as it is uploaded. */
  get body(): Uint8Array<ArrayBuffer> {
    return this.#body!;
  }

  /** Its part in a secure cohort. */
  get member(): SecureMember {
    return this.#member!;
  }

  /** Trains for real. @param round names what is drawn for it */
  train(offer: Offer, base: SharedWeights, round: string): Promise<TrainedUpdate> {
    const { task, data, clients, pool, controls } = this.#means;
    const { rules } = task;
    const { epochs, maxExamples, learningRate, learningRateSchedule } = rules.plan.local;
    const abort = new AbortController();
    this.#abort = abort;
    const work = {
      values: base.values,
      examples: data.examplesOf(this.#client),
      epochs,
      learningRate: learningRateAt(
        learningRate,
        learningRateSchedule ?? { kind: "constant" },
        offer.trainingRound,
      ),
      offsets: null,
      maxExamples,
      seed: `${clients.seed}/train/${round}/${this.#client}`,
      version: offer.baseVersion,
      report:
        rules.secure === null && task.spec.mode.type === "synchronous" && controls === undefined
          ? { roundId: offer.roundId, task: offer.task }
          : null,
    };
    const result =
      controls === undefined
        ? pool.train(work, abort.signal)
        : this.#trainControlled(offer, work, { base, signal: abort.signal });
    // Looked at when the time has come.
    result.catch(() => undefined);
    return result;
  }

  /** With both control variates, as they are when it begins. */
  async #trainControlled(
    offer: Offer,
    work: Omit<TrainTask, "type">,
    { base, signal }: { readonly base: SharedWeights; readonly signal: AbortSignal },
  ): Promise<TrainedUpdate> {
    const { controls, pool, task } = this.#means;
    const { plan } = task.rules;
    const control = await controls!.open(this.#client, offer, { plan, served: base.control });
    const trained = await pool.train({ ...work, offsets: control.offsets.values }, signal);
    if (trained.type === "values") this.#settlement = control.after(trained, work.learningRate);
    return trained;
  }

  /** The coordinator has the update. */
  async spent(): Promise<void> {
    await this.#settlement?.spent();
  }

  /** How its round ended; nothing where nothing is kept of it. */
  settle(committed: boolean): (() => Promise<void>) | undefined {
    const settlement = this.#settlement;
    this.#settlement = undefined;
    return settlement && (() => settlement.settle(committed));
  }

  /** What is under way is not needed any more. */
  cancel(why: string): void {
    this.#abort?.abort(failure("round/stale-round", `simulate: ${why}`));
    this.#abort = undefined;
  }

  keep(body: Uint8Array<ArrayBuffer>): void {
    this.#body = body;
  }

  /** Measures both versions for real. */
  measure({ gate, current, candidate }: MeasuringWork, round: string): Promise<MeasuredVector> {
    const { data, clients, pool } = this.#means;
    const { maxExamples, maxExampleLoss: maxLoss, maxLossDifference: maxDifference } = gate.plan;
    const result = pool.measure({
      current: current.values,
      candidate: candidate.values,
      examples: data.examplesOf(this.#client),
      maxExamples,
      bounds: { maxLoss, maxDifference },
      seed: `${clients.seed}/measure/${round}/${this.#client}`,
    });
    result.catch(() => undefined);
    return result;
  }

  /** A measured vector, as it is reported one by one. */
  report(offer: MeasurementOffer, { plan }: PreparedGate, measured: MeasuredVector): LocalUpdate {
    const { roundId, task } = offer;
    const { numExamples } = measured;
    const vector = boundMetrics(plan.metrics, measured.vector);
    const header = { roundId, task, schemaDigest: metricsDigest(plan.metrics), numExamples, metrics: [] };
    const body = encodeUpdate(header, Float32Array.from(vector));
    this.#body = body;
    return { numExamples, updateDigest: sha256(body), sizeBytes: body.length, metrics: [] };
  }

  /** Begins its part in a secure cohort that measures. */
  secureReport(
    offer: MeasurementOffer,
    { plan }: PreparedGate,
    measured: MeasuredVector,
    round: string,
  ): SecureMember {
    const { metrics } = plan;
    requireMetricSegments(metrics, plan.secureAggregation!.encoding.segments);
    this.#member = createMetricMember({
      ...this.#session(round),
      offer,
      plan: plan.secureAggregation!,
      metrics,
      vector: boundMetrics(metrics, measured.vector),
    });
    return this.#member;
  }

  /** Begins its part in a secure cohort. */
  async secure(
    offer: Offer,
    plan: SecureRoundPlan,
    result: TrainResult,
    round: string,
  ): Promise<SecureMember> {
    const { update: layout, maxUpdateNorm } = this.#means.task.rules.plan;
    const { update, lossSum, correct, numExamples, steps } = result;
    this.#member = await createSecureMember({
      ...this.#session(round),
      offer,
      plan: plan.plan,
      layout,
      maxUpdateNorm,
      update,
      totals: { lossSum, correct, examples: numExamples, steps },
    });
    return this.#member;
  }

  /** What is the same for all that leaves under masks. */
  #session(round: string) {
    const { task, clients, env, verifyMember } = this.#means;
    const identity = this.#identity!;
    return {
      population: task.rules.plan.population,
      identity,
      certificate: identity.certificate,
      // The certificate log is not simulated: all members are whom the simulation made.
      log: { requireMembers: () => Promise.resolve() },
      verifyMember,
      minimumCohort: DEVICE_FLOOR,
      crypto: openNodeSecAggCrypto(),
      env: { ...env, random: simulatedSecrets(`${clients.seed}/${round}/${this.#client}`) },
      beforeSpending: () => Promise.resolve(),
    };
  }

  forget(): void {
    this.cancel("the round is over");
    this.#body = undefined;
    this.#member?.close();
    this.#member = undefined;
  }

  get #numExamples(): number {
    const { data, task } = this.#means;
    return Math.min(data.countOf(this.#client), task.rules.plan.local.maxExamples);
  }
}
