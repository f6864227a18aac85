import { asModelVersion, asRoundId, seededRandom, type DeviceId, type SeededRandom } from "@tributary/core";
import { createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import {
  decodeDeviceMessage,
  decodeServerMessage,
  encodeDeviceMessage,
  encodeServerMessage,
  type DeviceMessage,
  type ServerMessage,
} from "@tributary/protocol";
import {
  initialParticipant,
  initialRound,
  invitationOf,
  PARTICIPANT_DEFAULTS,
  roundCounts,
  roundEnded,
  stepParticipant,
  stepRound,
  type ParticipantEffect,
  type ParticipantInput,
  type ParticipantState,
  type RoundConfig,
  type RoundCounts,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "../src/index.ts";
import { claim, device as deviceId, roundConfig, START } from "./fixtures.ts";

/** How bad the network and the devices are; probabilities of 0 to 1. */
export interface Weather {
  readonly dropFrame: number;
  readonly disconnectPerSecond: number;
  readonly trainFails: number;
  readonly uploadFails: number;
  /** The upload counted, but its answer was lost. */
  readonly answerLost: number;
  readonly refusesUpdate: number;
  readonly maxLatencyMs: number;
}

export interface RoundSummary {
  readonly config: RoundConfig;
  readonly inputs: readonly RoundInput[];
  readonly state: RoundState;
  readonly counts: RoundCounts;
  readonly summed: readonly DeviceId[];
  /** From the first offer to the end, without the time the commit took. */
  readonly openMs: number;
}

/** Both halves of the protocol against each other, over frames that are lost, late and out of order. */
export class LossyWorld {
  readonly clock: VirtualClock = createVirtualClock({ startMs: START });
  readonly rounds: RoundSummary[] = [];
  readonly devices: readonly SimulatedDevice[];
  readonly random: SeededRandom;
  readonly weather: Weather;
  readonly #rules: Partial<RoundConfig>;
  readonly #checkedIn = new Map<DeviceId, number>();
  #config!: RoundConfig;
  #state!: RoundState;
  #inputs: RoundInput[] = [];
  #summed: DeviceId[] = [];
  #trainingSince: number | null = null;
  #commitMs = 0;
  #timer: { cancel(): void } | undefined;

  constructor(seed: number, devices: number, rules: Partial<RoundConfig>, weather: Weather) {
    this.random = seededRandom(seed);
    this.weather = weather;
    this.#rules = rules;
    this.devices = Array.from({ length: devices }, (_, i) => new SimulatedDevice(this, i));
  }

  run(durationMs: number): void {
    this.#beginRound();
    for (const device of this.devices) device.start();
    this.clock.advance(durationMs);
  }

  /** Lets a message of a device reach the coordinator. */
  receive(id: DeviceId, message: DeviceMessage): void {
    const now = this.clock.now();
    if (message.type === "check-in") {
      this.#checkedIn.set(id, message.examples);
      this.#give({ type: "check-in", device: id, examples: message.examples, now });
    } else if (message.type === "leave") {
      this.#checkedIn.delete(id);
      this.#give({ type: "leave", device: id, now });
    } else if (message.type === "ready") {
      const { numExamples, updateDigest, sizeBytes } = message;
      if (message.roundId !== this.#config.roundId) return this.#sendStale(id, message.roundId);
      this.#give({ type: "ready", device: id, numExamples, updateDigest, sizeBytes, now });
    } else if (message.type === "decline") {
      if (message.roundId === this.#config.roundId) {
        this.#give({ type: "decline", device: id, code: message.code, now });
      }
    }
  }

  disconnected(id: DeviceId): void {
    this.#checkedIn.delete(id);
    this.#give({ type: "disconnect", device: id, now: this.clock.now() });
  }

  /** A PUT; "counted" also when it was there before. */
  upload(id: DeviceId, roundId: string): "counted" | "refused" | "closed" {
    const now = this.clock.now();
    if (roundId !== this.#config.roundId) return "closed";
    const invitation = invitationOf(this.#state, id);
    if (invitation.status === "reported") return "counted";
    if (invitation.status !== "invited") return "closed";
    if (this.random.next() < this.weather.refusesUpdate) {
      this.#give({ type: "report-refused", device: id, code: "update/not-finite", now });
      return "refused";
    }
    this.#give({ type: "report-accepted", device: id, digest: invitation.claim.updateDigest, now });
    return this.#summed.includes(id) ? "counted" : "closed";
  }

  #sendStale(id: DeviceId, roundId: ReturnType<typeof asRoundId>): void {
    this.#send(id, { type: "outcome", roundId, result: "late", code: "round/stale-round" });
  }

  #beginRound(): void {
    const round = this.rounds.length + 1;
    this.#config = roundConfig({ ...this.#rules, round, roundId: asRoundId(`digits-${round}`) });
    this.#state = initialRound(this.#config);
    this.#inputs = [];
    this.#summed = [];
    this.#trainingSince = null;
    const now = this.clock.now();
    this.#give({ type: "start", now });
    for (const [device, examples] of this.#checkedIn) {
      if (roundEnded(this.#state)) return;
      this.#give({ type: "check-in", device, examples, now });
    }
  }

  #give(input: RoundInput): void {
    const step = stepRound(this.#config, this.#state, input);
    this.#state = step.state;
    this.#inputs.push(input);
    if (this.#trainingSince === null && step.state.phase === "training") this.#trainingSince = input.now;
    for (const effect of step.effects) this.#perform(effect);
  }

  #perform(effect: RoundEffect): void {
    switch (effect.type) {
      case "send":
        return this.#send(effect.device, effect.message);
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = this.clock.schedule(Math.max(0, effect.at - this.clock.now()), () =>
          this.#give({ type: "tick", now: this.clock.now() }),
        );
        return;
      case "secure-open":
      case "secure-step":
        throw new Error("these rounds are not secure");
      case "accumulate":
        this.#summed.push(effect.device);
        return;
      case "aggregate": {
        this.#commitMs = this.random.integer(3_000);
        const round = this.#config.roundId;
        this.clock.schedule(this.#commitMs, () => {
          if (round !== this.#config.roundId) throw new Error("the round ended while it was committing");
          this.#give({ type: "aggregated", now: this.clock.now() });
          const version = asModelVersion(this.rounds.length + 2);
          this.#give({ type: "committed", version, now: this.clock.now() });
        });
        return;
      }
      case "carry":
        throw new Error("these rounds are not of a buffer");
      case "ended": {
        this.#timer?.cancel();
        const since = this.#trainingSince ?? this.clock.now();
        const openMs = this.clock.now() - since - (effect.result === "committed" ? this.#commitMs : 0);
        const summary: RoundSummary = {
          config: this.#config,
          inputs: this.#inputs,
          state: this.#state,
          counts: roundCounts(this.#state),
          summed: this.#summed,
          openMs,
        };
        this.rounds.push(summary);
        this.clock.schedule(1, () => this.#beginRound());
      }
    }
  }

  #send(id: DeviceId, message: ServerMessage): void {
    this.devices.find((device) => device.id === id)?.deliver(encodeServerMessage(message));
  }
}

class SimulatedDevice {
  readonly id: DeviceId;
  readonly #world: LossyWorld;
  readonly #index: number;
  readonly #random: SeededRandom;
  #state: ParticipantState = initialParticipant();
  #timer: { cancel(): void } | undefined;
  /** Frames of an older connection are lost with it. */
  #connection = 0;
  #connected = false;
  #trainings = 0;

  constructor(world: LossyWorld, index: number) {
    this.id = deviceId(index);
    this.#world = world;
    this.#index = index;
    this.#random = world.random.fork(`device ${index}`);
  }

  start(): void {
    this.#give({ type: "consent", granted: true, examples: 10, now: this.#now() });
    this.#connect();
    this.#everySecond();
  }

  /** A frame of the coordinator sets out; it may be lost, and overtaken. */
  deliver(frame: Uint8Array): void {
    if (!this.#connected) return;
    this.#travel(() =>
      this.#give({ type: "message", message: decodeServerMessage(frame), now: this.#now() }),
    );
  }

  #everySecond(): void {
    this.#world.clock.schedule(1_000, () => {
      if (this.#connected && this.#random.next() < this.#world.weather.disconnectPerSecond)
        this.#disconnect();
      this.#everySecond();
    });
  }

  #connect(): void {
    this.#connection += 1;
    this.#connected = true;
    this.#give({ type: "connected", now: this.#now() });
  }

  #disconnect(): void {
    this.#connection += 1;
    this.#connected = false;
    this.#world.disconnected(this.id);
    this.#give({ type: "disconnected", now: this.#now() });
    this.#world.clock.schedule(this.#random.integer(8_000), () => this.#connect());
  }

  #travel(arrive: () => void): void {
    const connection = this.#connection;
    const { weather, clock } = this.#world;
    if (this.#random.next() < weather.dropFrame) return;
    clock.schedule(this.#random.integer(weather.maxLatencyMs), () => {
      if (connection === this.#connection) arrive();
    });
  }

  #give(input: ParticipantInput): void {
    const step = stepParticipant({ task: roundConfig().task, ...PARTICIPANT_DEFAULTS }, this.#state, input);
    this.#state = step.state;
    for (const effect of step.effects) this.#perform(effect);
  }

  #perform(effect: ParticipantEffect): void {
    const { clock, weather } = this.#world;
    switch (effect.type) {
      case "send": {
        const frame = encodeDeviceMessage(effect.message);
        return this.#travel(() => this.#world.receive(this.id, decodeDeviceMessage(frame)));
      }
      case "measure":
      case "train":
      case "carry-training": {
        const { roundId } = effect.offer;
        const update = claim(1_000 * this.#index + this.#trainings++, { numExamples: 10 });
        clock.schedule(500 + this.#random.integer(20_000), () => {
          if (this.#random.next() < weather.trainFails) {
            this.#give({
              type: "train-failed",
              roundId,
              code: "federation/training-failed",
              now: this.#now(),
            });
          } else this.#give({ type: "trained", roundId, ...update, metrics: [], now: this.#now() });
        });
        return;
      }
      case "upload":
        return this.#upload(effect);
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = clock.schedule(Math.max(0, effect.at - clock.now()), () =>
          this.#give({ type: "tick", now: this.#now() }),
        );
        return;
      case "secure-step":
      case "cancel-secure-step":
        throw new Error("these rounds are not secure");
      case "cancel-training":
      case "cancel-upload":
      case "discard-update":
      case "notify":
    }
  }

  #upload({ roundId }: Extract<ParticipantEffect, { type: "upload" }>): void {
    const { clock, weather } = this.#world;
    clock.schedule(50 + this.#random.integer(4_000), () => {
      const fail = (code: string, retryable: boolean) =>
        this.#give({ type: "upload-failed", roundId, code, retryable, now: this.#now() });
      if (this.#random.next() < weather.uploadFails) return fail("transport/upload-failed", true);
      const answer = this.#world.upload(this.id, roundId);
      if (this.#random.next() < weather.answerLost) return fail("transport/upload-failed", true);
      if (answer === "counted") return this.#give({ type: "uploaded", roundId, now: this.#now() });
      fail(answer === "refused" ? "update/not-finite" : "round/deadline-passed", false);
    });
  }

  #now(): number {
    return this.#world.clock.now();
  }
}
