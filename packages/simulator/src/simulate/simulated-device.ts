import { failure, TributaryError, type DeviceId, type Env } from "@tributary/core";
import type { TrainResult } from "@tributary/engine/training";
import {
  initialParticipant,
  PARTICIPANT_DEFAULTS,
  stepParticipant,
  type ParticipantEffect,
  type ParticipantInput,
  type ParticipantState,
} from "@tributary/federation";
import type { SecureRoundPlan } from "@tributary/federation/aggregation";
import {
  decodeServerMessage,
  encodeDeviceMessage,
  learningRateAt,
  type DeviceMessage,
  type Offer,
  type RoundOffer,
  type SecureStepName,
  type VerifyMember,
} from "@tributary/protocol";
import { createSecureMember, type SecureMember } from "@tributary/runtime/internal-node";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";
import type { ClientData } from "../data/client-data.ts";
import type { Clients, ClientTraits } from "../fleet-model/clients.ts";
import type { SimulationClock } from "./clock.ts";
import type { SimulatedIdentity } from "./identities.ts";
import type { PreparedTask } from "./prepare-task.ts";
import { simulatedSecrets } from "./secrets.ts";
import type { TrainingPool } from "./training-pool.ts";
import type { TrainedUpdate } from "./training-tasks.ts";

/** The coordinator's side of a device's connections. */
export interface ServerPort {
  /** A frame has come. */
  receive(device: DeviceId, frame: Uint8Array): Promise<void>;
  disconnected(device: DeviceId): void;
  /** Base weights of the round under way, in memory that threads share, and their size as a file. */
  readonly base: { readonly values: Float32Array; readonly sizeBytes: number };
  /** A PUT of an update. @throws `update/*`, `round/*` */
  upload(device: DeviceId, offer: RoundOffer, body: Uint8Array<ArrayBuffer>): void;
  /** A GET of what a step needs. @throws `secagg/phase-over` */
  secureInput(step: SecureStepName, member: number): Uint8Array<ArrayBuffer>;
  /** A PUT of an answer. @throws `secagg/*` */
  secureAnswer(device: DeviceId, step: SecureStepName, member: number, answer: Uint8Array): Promise<void>;
  /** Bytes on their way. */
  countBytes(direction: "up" | "down", bytes: number): void;
  /** The device will not come back. */
  vanished(device: DeviceId): void;
}

export interface DeviceSurroundings {
  readonly clock: SimulationClock;
  readonly server: ServerPort;
  readonly clients: Clients;
  readonly data: ClientData;
  readonly task: PreparedTask;
  readonly pool: TrainingPool;
  readonly env: Env;
  readonly verifyMember: VerifyMember;
  /** Share of devices that vanish. */
  readonly dropout: number;
}

/** Devices trust a simulated task's own floor: what their apps would insist on is not simulated. */
const DEVICE_FLOOR = 3;

/** One client during one round: the device's half of the protocol, and what its network, its speed and its luck do to it. */
export class SimulatedDevice {
  readonly id: DeviceId;
  readonly client: number;
  readonly #around: DeviceSurroundings;
  readonly #identity: SimulatedIdentity | undefined;
  readonly #traits: ClientTraits;
  readonly #round: string;
  #state: ParticipantState = initialParticipant();
  #timer: { cancel(): void } | undefined;
  /** Frames of an older connection are lost with it. */
  #connection = 0;
  #connected = false;
  #gone = false;
  /** Milliseconds of work until it vanishes. */
  #leftMs = Infinity;
  #job: { readonly abort: AbortController; readonly result: Promise<TrainedUpdate> } | undefined;
  #body: Uint8Array<ArrayBuffer> | undefined;
  #member: SecureMember | undefined;

  constructor(
    around: DeviceSurroundings,
    options: { readonly client: number; readonly round: string; readonly identity?: SimulatedIdentity },
  ) {
    this.#around = around;
    this.client = options.client;
    this.#round = options.round;
    this.#identity = options.identity;
    this.id = options.identity?.device ?? around.clients.deviceOf(options.client);
    this.#traits = around.clients.traitsOf(options.client);
  }

  /** The device comes by: there is consent, and something to learn from. */
  start(): void {
    const examples = this.#around.data.countOf(this.client);
    this.#give({ type: "consent", granted: true, examples, now: this.#now() });
    this.#connect();
  }

  /** A frame of the coordinator sets out. */
  deliver(frame: Uint8Array): void {
    this.#travel(() =>
      this.#give({ type: "message", message: decodeServerMessage(frame), now: this.#now() }),
    );
  }

  /** The round is over for everyone. */
  stop(): void {
    this.#gone = true;
    this.#timer?.cancel();
    this.#forget();
  }

  #connect(): void {
    if (this.#gone) return;
    const { clients, clock } = this.#around;
    const { online, untilMs } = clients.reachability(this.client, this.#now());
    const inMs = untilMs - this.#now();
    if (!online) return void clock.schedule(inMs, () => this.#connect());
    this.#connection += 1;
    this.#connected = true;
    if (inMs < Infinity) clock.schedule(inMs, () => this.#disconnect());
    this.#give({ type: "connected", now: this.#now() });
  }

  #disconnect(): void {
    if (this.#gone) return;
    this.#connection += 1;
    this.#connected = false;
    this.#around.server.disconnected(this.id);
    this.#give({ type: "disconnected", now: this.#now() });
    this.#connect();
  }

  /** For good: the page was closed, the battery is empty. */
  #vanish(): void {
    if (this.#gone) return;
    this.stop();
    if (this.#connected) this.#around.server.disconnected(this.id);
    this.#around.server.vanished(this.id);
  }

  #travel(arrive: () => void | Promise<void>): void {
    if (!this.#connected) return;
    const connection = this.#connection;
    this.#around.clock.schedule(this.#traits.latencyMs, () =>
      connection === this.#connection && !this.#gone ? arrive() : undefined,
    );
  }

  /** Something that keeps the device busy for a while; it may not live to see the end. */
  #work(durationMs: number, done: () => void | Promise<void>): void {
    const { clock } = this.#around;
    if (durationMs > this.#leftMs) return void clock.schedule(this.#leftMs, () => this.#vanish());
    this.#leftMs -= durationMs;
    clock.schedule(durationMs, () => (this.#gone ? undefined : done()));
  }

  #give(input: ParticipantInput): void {
    if (this.#gone) return;
    const config = { task: this.#around.task.spec.name, ...PARTICIPANT_DEFAULTS };
    const { state, effects } = stepParticipant(config, this.#state, input);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: ParticipantEffect): void {
    const { clock } = this.#around;
    switch (effect.type) {
      case "send":
        return this.#send(effect.message);
      case "train":
        return this.#train(effect.offer);
      case "carry-training":
        // What it has learned so far is of the same weights; here it is simply trained again.
        this.#job?.abort.abort(
          failure("round/stale-round", "simulate: the training goes on for another round"),
        );
        return this.#train(effect.offer);
      case "measure":
        throw new TypeError("simulate: no round measures");
      case "cancel-training":
        this.#job?.abort.abort(failure("round/stale-round", "simulate: the training is not needed any more"));
        this.#job = undefined;
        return;
      case "upload":
        return this.#upload(effect);
      case "secure-step":
        return this.#answer(effect);
      case "discard-update":
        return this.#forget();
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = clock.schedule(Math.max(0, effect.at - clock.now()), () =>
          this.#give({ type: "tick", now: this.#now() }),
        );
        return;
      // What is under way ends into nothing: the machine knows that it is not waited for.
      case "cancel-upload":
      case "cancel-secure-step":
      case "notify":
        return;
      default: {
        const never: never = effect;
        throw new TypeError(`simulate: no such effect ${String(never)}`);
      }
    }
  }

  #send(message: DeviceMessage): void {
    const frame = encodeDeviceMessage(message);
    this.#travel(() => this.#around.server.receive(this.id, frame));
  }

  #train(offer: Offer): void {
    const { task, data, clients, server, dropout } = this.#around;
    const { rules } = task;
    const { local } = rules.plan;
    const { epochs, batchSize, maxExamples, learningRate, learningRateSchedule } = local;
    const numExamples = Math.min(data.countOf(this.client), maxExamples);
    const steps = Math.ceil(numExamples / batchSize) * epochs;
    const { base } = server;
    const downloadBytes = task.planBytes + base.sizeBytes;
    const trainMs = downloadBytes / this.#traits.downlink + steps * this.#traits.stepMs;
    const luck = clients.randomOf(this.client, `luck ${this.#round}`);
    if (luck.next() < dropout) {
      this.#leftMs = luck.next() * (trainMs + this.#updateBytes() / this.#traits.uplink);
    }
    server.countBytes("down", downloadBytes);
    // Whoever does not live to see the end needs no processor.
    if (trainMs <= this.#leftMs) {
      const abort = new AbortController();
      const work = {
        values: base.values,
        examples: data.examplesOf(this.client),
        epochs,
        learningRate: learningRateAt(
          learningRate,
          learningRateSchedule ?? { kind: "constant" },
          offer.trainingRound,
        ),
        maxExamples,
        seed: `${clients.seed}/train/${this.#round}/${this.client}`,
        version: offer.baseVersion,
        report: rules.secure === null ? { roundId: offer.roundId, task: offer.task } : null,
      };
      const result = this.#around.pool.train(work, abort.signal);
      // Looked at when the time has come.
      result.catch(() => undefined);
      this.#job = { abort, result };
    }
    const job = this.#job;
    this.#work(trainMs, async () => {
      if (job === undefined || job !== this.#job) return;
      try {
        await this.#trained(offer, await job.result);
      } catch (error) {
        // Examples that do not fit the model are the data set's fault, and so all devices'.
        if (!TributaryError.is(error) || error.code === "runtime/invalid-example") throw error;
        this.#give({ type: "train-failed", roundId: offer.roundId, code: error.code, now: this.#now() });
      }
    });
  }

  async #trained(offer: Offer, update: TrainedUpdate): Promise<void> {
    const { roundId } = offer;
    const { numExamples } = update;
    this.#job = undefined;
    if (update.type === "values") {
      this.#member = await this.#secureMember(offer, this.#around.task.rules.secure!, update);
      const { commitment, certificate } = this.#member;
      const now = this.#now();
      return this.#give({ type: "trained-securely", roundId, numExamples, commitment, certificate, now });
    }
    const { body, digest, metrics } = update;
    this.#body = body;
    const facts = { numExamples, updateDigest: digest, sizeBytes: body.length, metrics };
    this.#give({ type: "trained", roundId, ...facts, now: this.#now() });
  }

  #secureMember(offer: Offer, secure: SecureRoundPlan, result: TrainResult): Promise<SecureMember> {
    const { task, clients, env, verifyMember } = this.#around;
    const { plan } = task.rules;
    const { update, lossSum, correct, numExamples, steps } = result;
    const identity = this.#identity!;
    return createSecureMember({
      offer,
      plan: secure.plan,
      population: plan.population,
      layout: plan.update,
      maxUpdateNorm: plan.maxUpdateNorm,
      update,
      totals: { lossSum, correct, examples: numExamples, steps },
      identity,
      certificate: identity.certificate,
      // The certificate log is not simulated: all members are whom the simulation made.
      log: { requireMembers: () => Promise.resolve() },
      verifyMember,
      minimumCohort: DEVICE_FLOOR,
      crypto: openNodeSecAggCrypto(),
      env: { ...env, random: simulatedSecrets(`${clients.seed}/${this.#round}/${this.client}`) },
      beforeSpending: () => Promise.resolve(),
    });
  }

  #upload({ roundId }: Extract<ParticipantEffect, { type: "upload" }>): void {
    const { server } = this.#around;
    const body = this.#body!;
    const { activity } = this.#state;
    if (activity.type !== "uploading") return;
    const { offer } = activity;
    this.#transfer("up", body.length, {
      arrived: () => {
        server.upload(this.id, offer, body);
        this.#travel(() => this.#give({ type: "uploaded", roundId, now: this.#now() }));
      },
      failed: ({ code, retryable }) =>
        this.#give({ type: "upload-failed", roundId, code, retryable, now: this.#now() }),
    });
  }

  #answer({ roundId, request }: Extract<ParticipantEffect, { type: "secure-step" }>): void {
    const { server } = this.#around;
    const { step, member } = request;
    const session = this.#member!;
    const failed = ({ code, retryable }: { readonly code: string; readonly retryable: boolean }): void =>
      this.#give({ type: "secure-failed", roundId, step, code, retryable, now: this.#now() });
    const put = (answer: Uint8Array): void =>
      this.#transfer("up", answer.length, {
        arrived: async () => {
          await server.secureAnswer(this.id, step, member, answer);
          this.#travel(() => this.#give({ type: "secure-answered", roundId, step, now: this.#now() }));
        },
        failed,
      });
    this.#travel(async () => {
      try {
        const made = session.answerTo(step);
        if (made !== undefined) return put(await made);
        const input = server.secureInput(step, member);
        this.#transfer("down", input.length, {
          arrived: async () => put(await session.answer(step, input)),
          failed,
        });
      } catch (error) {
        if (!TributaryError.is(error)) throw error;
        failed(error);
      }
    });
  }

  /** Bytes over this device's link; a connection that breaks meanwhile takes them with it. */
  #transfer(
    direction: "up" | "down",
    bytes: number,
    end: {
      arrived(): void | Promise<void>;
      failed(error: { readonly code: string; readonly retryable: boolean }): void;
    },
  ): void {
    const { server } = this.#around;
    const connection = this.#connection;
    const rate = direction === "up" ? this.#traits.uplink : this.#traits.downlink;
    this.#work(this.#traits.latencyMs + bytes / rate, async () => {
      if (connection !== this.#connection || !this.#connected) {
        return end.failed({ code: "transport/upload-failed", retryable: true });
      }
      server.countBytes(direction, bytes);
      try {
        await end.arrived();
      } catch (error) {
        if (!TributaryError.is(error)) throw error;
        end.failed(error);
      }
    });
  }

  #updateBytes(): number {
    const { secure, weightCount, statisticCount } = this.#around.task.rules;
    return secure?.encoding.packedBytes ?? 4 * (weightCount + statisticCount);
  }

  #forget(): void {
    this.#job?.abort.abort(failure("round/stale-round", "simulate: the round is over"));
    this.#job = undefined;
    this.#body = undefined;
    this.#member?.close();
    this.#member = undefined;
  }

  #now(): number {
    return this.#around.clock.now();
  }
}
