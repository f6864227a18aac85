import { asModelVersion, sha256, encodeUtf8, type DeviceId } from "@tributary/core";
import { createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import {
  decodeDeviceMessage,
  decodeServerMessage,
  encodeDeviceMessage,
  encodeServerMessage,
  type DeviceMessage,
  type SecureStepName,
  type ServerMessage,
} from "@tributary/protocol";
import {
  initialParticipant,
  initialRound,
  PARTICIPANT_DEFAULTS,
  roundEnded,
  stepParticipant,
  stepRound,
  type ParticipantEffect,
  type ParticipantInput,
  type ParticipantState,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "../src/index.ts";
import { device as deviceId, roundConfig, START } from "./fixtures.ts";

const LATENCY_MS = 10;

/** What may go wrong at one device. */
export interface Fate {
  /** Gone for good when it is asked for this step. */
  readonly diesAt?: SecureStepName;
  /** Loses its connection when it is asked for this step, and is back this long after. */
  readonly dropsAt?: SecureStepName;
  readonly backAfterMs?: number;
  /** Refuses what it is given in this step. */
  readonly failsAt?: SecureStepName;
}

/** A secure round, both halves, with a coordinator that takes every answer; frames are real. */
export class SecureWorld {
  readonly clock: VirtualClock = createVirtualClock({ startMs: START });
  readonly config: RoundConfig;
  readonly inputs: RoundInput[] = [];
  readonly opened: SecureStepName[] = [];
  readonly devices: readonly SecureDevice[];
  state: RoundState;
  aggregated: readonly DeviceId[] | undefined;
  #timer: { cancel(): void } | undefined;

  constructor(fates: readonly Fate[], more: Partial<RoundConfig> = {}) {
    const count = fates.length;
    this.config = roundConfig({
      goalCount: count,
      offerLimit: count,
      minimumCount: 3,
      secure: { stepDeadlineMs: 5_000 },
      ...more,
    });
    this.state = initialRound(this.config);
    this.give({ type: "start", now: START });
    this.devices = fates.map((fate, i) => new SecureDevice(this, i, fate));
    for (const each of this.devices) each.start();
  }

  give(input: RoundInput): void {
    const step = stepRound(this.config, this.state, input);
    this.state = step.state;
    this.inputs.push(input);
    for (const effect of step.effects) this.#perform(effect);
  }

  receive(device: DeviceId, message: DeviceMessage): void {
    const now = this.clock.now();
    if (message.type === "check-in") this.give({ type: "check-in", device, examples: message.examples, now });
    else if (message.type === "secure-ready")
      this.give({ type: "secure-ready", device, commitment: message.commitment, now });
    else if (message.type === "decline") this.give({ type: "decline", device, code: message.code, now });
  }

  /** A PUT: whether the machine counted the answer, now or before. */
  answer(device: DeviceId, step: SecureStepName): boolean {
    const { state } = this;
    if (state.phase !== "securing" || state.cohort.step !== step) return false;
    this.give({ type: "secure-answered", device, step, now: this.clock.now() });
    return true;
  }

  deliver(device: DeviceId, message: ServerMessage): void {
    const frame = encodeServerMessage(message);
    this.devices.find(({ id }) => id === device)?.deliver(frame);
  }

  #perform(effect: RoundEffect): void {
    const { clock } = this;
    const { roundId } = this.config;
    switch (effect.type) {
      case "send":
        return this.deliver(effect.device, effect.message);
      case "secure-step": {
        const { device, ...step } = effect;
        return this.deliver(device, { ...step, roundId, capability: new Uint8Array(32) });
      }
      case "secure-open": {
        const { step, members } = effect;
        this.opened.push(step);
        const digests = members.map((member) => (member === null ? null : sha256(encodeUtf8(step + member))));
        clock.schedule(LATENCY_MS, () =>
          this.give({ type: "secure-opened", step, digests, now: clock.now() }),
        );
        return;
      }
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = clock.schedule(Math.max(0, effect.at - clock.now()), () =>
          this.give({ type: "tick", now: clock.now() }),
        );
        return;
      case "aggregate":
        this.aggregated = effect.devices;
        clock.schedule(LATENCY_MS, () => {
          this.give({ type: "aggregated", now: clock.now() });
          this.give({ type: "committed", version: asModelVersion(2), now: clock.now() });
        });
        return;
      case "accumulate":
        throw new Error("a secure round accumulates no single update");
      case "carry":
        throw new Error("these rounds are not of a buffer");
      case "ended":
        this.#timer?.cancel();
    }
  }

  get over(): boolean {
    return roundEnded(this.state);
  }
}

export class SecureDevice {
  readonly id: DeviceId;
  readonly events: string[] = [];
  readonly steps: SecureStepName[] = [];
  state: ParticipantState = initialParticipant();
  readonly #world: SecureWorld;
  readonly #fate: Fate;
  #connected = false;
  #dropped = false;
  #timer: { cancel(): void } | undefined;

  constructor(world: SecureWorld, index: number, fate: Fate) {
    this.#world = world;
    this.#fate = fate;
    this.id = deviceId(index);
  }

  start(): void {
    this.#give({ type: "consent", granted: true, examples: 10, now: this.#now() });
    this.#connect();
  }

  deliver(frame: Uint8Array): void {
    if (!this.#connected) return;
    this.#world.clock.schedule(LATENCY_MS, () => {
      if (!this.#connected) return;
      const message = decodeServerMessage(frame);
      if (message.type === "secure-step") {
        const { diesAt, dropsAt, backAfterMs = 0 } = this.#fate;
        if (message.step === diesAt) return this.disconnect();
        if (message.step === dropsAt && !this.#dropped) {
          this.#dropped = true;
          this.disconnect();
          this.#world.clock.schedule(backAfterMs, () => this.#connect());
          return;
        }
      }
      this.#give({ type: "message", message, now: this.#now() });
    });
  }

  disconnect(): void {
    this.#connected = false;
    this.#world.give({ type: "disconnect", device: this.id, now: this.#now() });
    this.#give({ type: "disconnected", now: this.#now() });
  }

  #connect(): void {
    this.#connected = true;
    this.#give({ type: "connected", now: this.#now() });
  }

  #give(input: ParticipantInput): void {
    const step = stepParticipant({ task: roundConfig().task, ...PARTICIPANT_DEFAULTS }, this.state, input);
    this.state = step.state;
    for (const effect of step.effects) this.#perform(effect);
  }

  #perform(effect: ParticipantEffect): void {
    const { clock } = this.#world;
    switch (effect.type) {
      case "send": {
        const frame = encodeDeviceMessage(effect.message);
        clock.schedule(LATENCY_MS, () => {
          if (this.#connected) this.#world.receive(this.id, decodeDeviceMessage(frame));
        });
        return;
      }
      case "measure":
      case "train":
      case "carry-training": {
        const { roundId } = effect.offer;
        const commitment = sha256(encodeUtf8(this.id));
        clock.schedule(1_000, () =>
          this.#give({
            type: "trained-securely",
            roundId,
            numExamples: 10,
            commitment,
            certificate: new Uint8Array(4),
            now: this.#now(),
          }),
        );
        return;
      }
      case "secure-step":
        return this.#answer(effect);
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = clock.schedule(Math.max(0, effect.at - clock.now()), () =>
          this.#give({ type: "tick", now: this.#now() }),
        );
        return;
      case "notify":
        this.events.push(effect.event.type === "outcome" ? effect.event.result : effect.event.type);
        return;
      case "upload":
        throw new Error("a device must not upload its update alone");
      case "cancel-training":
      case "cancel-upload":
      case "cancel-secure-step":
      case "discard-update":
    }
  }

  #answer({ roundId, request: { step } }: Extract<ParticipantEffect, { type: "secure-step" }>): void {
    this.#world.clock.schedule(50, () => {
      const now = this.#now();
      if (step === this.#fate.failsAt) {
        return this.#give({
          type: "secure-failed",
          roundId,
          step,
          code: "secagg/invalid-share",
          retryable: false,
          now,
        });
      }
      this.steps.push(step);
      if (this.#world.answer(this.id, step)) {
        return this.#give({ type: "secure-answered", roundId, step, now: this.#now() });
      }
      this.#give({ type: "secure-failed", roundId, step, code: "secagg/phase-over", retryable: false, now });
    });
  }

  #now(): number {
    return this.#world.clock.now();
  }
}
