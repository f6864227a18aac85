import { TributaryError, type DeviceId } from "@tributary/core";
import {
  ineligibleReason,
  initialParticipant,
  PARTICIPANT_DEFAULTS,
  stepParticipant,
  type ParticipantEffect,
  type ParticipantInput,
  type ParticipantState,
} from "@tributary/federation";
import {
  decodeServerMessage,
  encodeDeviceMessage,
  type DeviceMessage,
  type MeasurementOffer,
  type Offer,
  type RoundOffer,
  type SecureStepName,
} from "@tributary/protocol";
import type { SimulationClock } from "./clock.ts";
import { updateBody } from "@tributary/runtime/internal-node";
import { DeviceLink } from "./device-link.ts";
import { DeviceReports } from "./device-reports.ts";
import { DeviceWork, type DeviceMeans } from "./device-work.ts";
import type { SimulatedIdentity } from "./identities.ts";
import type { RoundWork } from "./round-work.ts";
import type { MeasuredVector, TrainedUpdate } from "./training-tasks.ts";

/** The coordinator's side of a device's connections. */
export interface ServerPort {
  /** A frame has come. */
  receive(device: DeviceId, frame: Uint8Array): Promise<void>;
  disconnected(device: DeviceId): void;
  /** What its round is about. */
  readonly work: RoundWork;
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

export interface DeviceSurroundings extends DeviceMeans {
  readonly clock: SimulationClock;
  readonly server: ServerPort;
  /** Share of devices that vanish. */
  readonly dropout: number;
}

/** One client during one round: the device's half of the protocol, and what its network, its speed and its luck do to it. */
export class SimulatedDevice {
  readonly id: DeviceId;
  readonly client: number;
  readonly #around: DeviceSurroundings;
  readonly #round: string;
  readonly #link: DeviceLink;
  readonly #work: DeviceWork;
  readonly #reports: DeviceReports;
  #server: ServerPort;
  #state: ParticipantState = initialParticipant();
  #timer: { cancel(): void } | undefined;
  /** What the training under way is for. */
  #offer: Offer | undefined;
  /** Training under way, if it is to end. */
  #job: { readonly result: Promise<TrainedUpdate | MeasuredVector> } | undefined;

  constructor(
    around: DeviceSurroundings,
    options: { readonly client: number; readonly round: string; readonly identity?: SimulatedIdentity },
  ) {
    const { client, identity } = options;
    const { clock, clients } = around;
    this.#server = around.server;
    const id = identity?.device ?? clients.deviceOf(client);
    this.id = id;
    this.client = client;
    this.#around = around;
    this.#round = options.round;
    this.#work = new DeviceWork(around, client, identity);
    this.#link = new DeviceLink({
      id,
      client,
      clock,
      clients,
      connected: () => this.#give({ type: "connected", now: this.#now() }),
      disconnected: () => {
        this.#server.disconnected(id);
        this.#give({ type: "disconnected", now: this.#now() });
      },
      vanished: (wasConnected) => {
        this.stop();
        if (wasConnected) this.#server.disconnected(id);
        this.#server.vanished(id);
      },
      counted: (direction, bytes) => this.#server.countBytes(direction, bytes),
    });
    this.#reports = new DeviceReports({
      id,
      clock,
      link: this.#link,
      work: this.#work,
      server: () => this.#server,
      give: (input) => this.#give(input),
    });
  }

  /** The device comes by: there is consent, and something to learn from. */
  start(): void {
    const examples = this.#around.data.countOf(this.client);
    this.#give({ type: "consent", granted: true, examples, now: this.#now() });
    this.#watchConditions();
    this.#link.connect();
  }

  /** It trains on for another round. */
  join(server: ServerPort): void {
    this.#server = server;
  }

  /** A frame of the coordinator sets out. */
  deliver(frame: Uint8Array): void {
    this.#link.travel(() =>
      this.#give({ type: "message", message: decodeServerMessage(frame), now: this.#now() }),
    );
  }

  /** The round is over for everyone. */
  stop(): void {
    this.#link.stop();
    this.#timer?.cancel();
    this.#forget();
  }

  /** Whether it meets the plan's rules may change with the hour. */
  #watchConditions(): void {
    const { task, clients, clock } = this.#around;
    const { eligibility } = task.rules.plan;
    if (eligibility === undefined || this.#link.gone) return;
    const { conditions, untilMs } = clients.conditions(this.client, this.#now());
    const reason = ineligibleReason(eligibility, conditions);
    if (reason !== this.#state.ineligible) this.#give({ type: "eligibility", reason, now: this.#now() });
    clock.schedule(untilMs - this.#now(), () => this.#watchConditions());
  }

  #give(input: ParticipantInput): void {
    if (this.#link.gone) return;
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
        // What it has learned so far is of the same weights.
        this.#offer = effect.offer;
        return;
      case "measure":
        return this.#measure(effect.offer);
      case "cancel-training":
        this.#work.cancel("the training is not needed any more");
        this.#job = undefined;
        return;
      case "upload":
        if (this.#state.activity.type !== "uploading") return;
        return this.#reports.upload(this.#state.activity.offer);
      case "secure-step":
        return this.#reports.answer(effect);
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
        return;
      case "notify":
        if (effect.event.type === "outcome") this.#settle(effect.event.result === "committed");
        return;
      default: {
        const never: never = effect;
        throw new TypeError(`simulate: no such effect ${String(never)}`);
      }
    }
  }

  #settle(committed: boolean): void {
    const settle = this.#work.settle(committed);
    if (settle !== undefined) this.#around.clock.schedule(0, settle);
  }

  #send(message: DeviceMessage): void {
    const frame = encodeDeviceMessage(message);
    this.#link.travel(() => this.#server.receive(this.id, frame));
  }

  #train(offer: Offer): void {
    const { task } = this.#around;
    const { work } = this.#server;
    if (work.type !== "train") throw new TypeError("simulate: an offer to train in a round that measures");
    const { base } = work;
    this.#offer = offer;
    const { control = new Uint8Array(0) } = base;
    const downloadBytes = task.planBytes + base.sizeBytes + control.length;
    const trainMs = this.#begin(downloadBytes, this.#work.steps, this.#work.updateBytes);
    // Whoever does not live to see the end needs no processor.
    if (this.#link.outlives(trainMs)) this.#job = { result: this.#work.train(offer, base, this.#round) };
    const job = this.#job as { readonly result: Promise<TrainedUpdate> } | undefined;
    this.#link.work(trainMs, async () => {
      if (job === undefined || job !== this.#job) return;
      try {
        await this.#trained(await job.result);
      } catch (error) {
        // Examples that do not fit the model are the data set's fault, and so all devices'.
        if (!TributaryError.is(error) || error.code === "runtime/invalid-example") throw error;
        this.#give({
          type: "train-failed",
          roundId: this.#offer!.roundId,
          code: error.code,
          now: this.#now(),
        });
      }
    });
  }

  #measure(offer: MeasurementOffer): void {
    const { work } = this.#server;
    if (work.type !== "measure") throw new TypeError("simulate: an offer to measure in a round that trains");
    const { gate, current, candidate } = work;
    const { roundId } = offer;
    const bytes = gate.planBytes + current.sizeBytes + candidate.sizeBytes;
    const reportBytes = gate.secure?.encoding.packedBytes ?? 4 * gate.plan.metrics.length;
    const measureMs = this.#begin(bytes, this.#work.measuringSteps, reportBytes);
    const job = this.#link.outlives(measureMs)
      ? { result: this.#work.measure(work, this.#round) }
      : undefined;
    this.#job = job;
    this.#link.work(measureMs, async () => {
      if (job === undefined || job !== this.#job) return;
      this.#job = undefined;
      const measured = await job.result;
      const now = this.#now();
      if (gate.secure === null) {
        const facts = this.#work.report(offer, gate, measured);
        return this.#give({ type: "trained", roundId, ...facts, now });
      }
      const { commitment, certificate } = this.#work.secureReport(offer, gate, measured, this.#round);
      const { numExamples } = measured;
      this.#give({ type: "trained-securely", roundId, numExamples, commitment, certificate, now });
    });
  }

  /** What it downloads, and whether it lives to see the end. @returns how long it takes */
  #begin(downloadBytes: number, steps: number, reportBytes: number): number {
    const { clients, dropout } = this.#around;
    const { downlink, uplink, stepMs } = this.#link.traits;
    const durationMs = downloadBytes / downlink + steps * stepMs;
    const luck = clients.randomOf(this.client, `luck ${this.#round}`);
    if (luck.next() < dropout) this.#link.doom(luck.next() * (durationMs + reportBytes / uplink));
    this.#server.countBytes("down", downloadBytes);
    return durationMs;
  }

  async #trained(update: TrainedUpdate): Promise<void> {
    const offer = this.#offer!;
    const { roundId } = offer;
    const { numExamples } = update;
    this.#job = undefined;
    const { secure, plan } = this.#around.task.rules;
    if (update.type === "values" && secure !== null) {
      const { commitment, certificate } = await this.#work.secure(offer, secure, update, this.#round);
      const now = this.#now();
      return this.#give({ type: "trained-securely", roundId, numExamples, commitment, certificate, now });
    }
    // In buffered mode it is known now which round it is for.
    const { body, digest, metrics } = update.type === "body" ? update : updateBody(offer, plan, update);
    this.#work.keep(body);
    const facts = { numExamples, updateDigest: digest, sizeBytes: body.length, metrics };
    this.#give({ type: "trained", roundId, ...facts, now: this.#now() });
  }

  #forget(): void {
    this.#job = undefined;
    this.#work.forget();
  }

  #now(): number {
    return this.#around.clock.now();
  }
}
