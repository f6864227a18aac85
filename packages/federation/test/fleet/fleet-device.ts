import { encodeUtf8, sha256, type DeviceId, type SeededRandom } from "@tributary/core";
import type { VirtualClock } from "@tributary/core/testing";
import {
  decodeDeviceMessage,
  decodeServerMessage,
  encodeDeviceMessage,
  type DeviceMessage,
} from "@tributary/protocol";
import {
  initialParticipant,
  PARTICIPANT_DEFAULTS,
  stepParticipant,
  type ParticipantEffect,
  type ParticipantInput,
  type ParticipantState,
} from "../../src/index.ts";
import { claim, device as deviceId, roundConfig } from "../fixtures.ts";
import type { Answer, FleetCoordinator } from "./fleet-coordinator.ts";
import type { Weather } from "./story.ts";

const CONFIG = { task: roundConfig().task, ...PARTICIPANT_DEFAULTS };

/** A device at the end of a bad line; some say more than the truth. */
export class FleetDevice {
  readonly id: DeviceId;
  weather: Weather;
  lies: boolean;
  readonly #index: number;
  readonly #clock: VirtualClock;
  readonly #random: SeededRandom;
  readonly #coordinator: FleetCoordinator;
  #state: ParticipantState = initialParticipant();
  #timer: { cancel(): void } | undefined;
  /** Frames of an older connection are lost with it. */
  #connection = 0;
  #connected = false;
  #trainings = 0;

  constructor(options: {
    readonly index: number;
    readonly lies: boolean;
    readonly weather: Weather;
    readonly clock: VirtualClock;
    readonly random: SeededRandom;
    readonly coordinator: FleetCoordinator;
  }) {
    this.id = deviceId(options.index);
    this.#index = options.index;
    this.lies = options.lies;
    this.weather = options.weather;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#coordinator = options.coordinator;
  }

  start(): void {
    this.#give({ type: "consent", granted: true, examples: 10 });
    this.#connect();
  }

  /** A frame of the coordinator sets out. */
  deliver(frame: Uint8Array): void {
    if (this.#connected)
      this.#travel(() => this.#give({ type: "message", message: decodeServerMessage(frame) }));
  }

  /** The coordinator is gone, and with it the connection. */
  hungUp(): void {
    if (this.#connected) this.#disconnect();
  }

  /** A connection that lost frames does not last: whoever waits for one of them says all of it again on the next. */
  reconnect(): void {
    if (!this.#connected) return;
    this.#coordinator.disconnected(this.id);
    this.#disconnect();
  }

  #connect(): void {
    if (!this.#coordinator.up) {
      this.#clock.schedule(200 + this.#random.integer(2_000), () => this.#connect());
      return;
    }
    this.#connection += 1;
    this.#connected = true;
    this.#give({ type: "connected" });
    const perSecond = this.weather.disconnectPerSecond;
    if (perSecond === 0) return;
    const connection = this.#connection;
    const lastsMs = Math.ceil((-1_000 * Math.log(1 - this.#random.next())) / perSecond);
    this.#clock.schedule(lastsMs, () => {
      if (connection !== this.#connection) return;
      this.#coordinator.disconnected(this.id);
      this.#disconnect();
    });
  }

  #disconnect(): void {
    this.#connection += 1;
    this.#connected = false;
    this.#give({ type: "disconnected" });
    this.#clock.schedule(this.#random.integer(8_000), () => this.#connect());
  }

  #travel(arrive: () => void): void {
    const connection = this.#connection;
    const copies = this.#random.next() < this.weather.duplicateFrame ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#random.next() < this.weather.dropFrame) continue;
      this.#clock.schedule(this.#random.integer(this.weather.maxLatencyMs), () => {
        if (connection === this.#connection) arrive();
      });
    }
  }

  #send(message: DeviceMessage): void {
    const frame = encodeDeviceMessage(message);
    this.#travel(() => this.#coordinator.receive(this.id, decodeDeviceMessage(frame)));
  }

  #give(
    timeless: ParticipantInput extends infer I
      ? I extends ParticipantInput
        ? Omit<I, "now">
        : never
      : never,
  ): void {
    const input = { ...timeless, now: this.#clock.now() } as ParticipantInput;
    const step = stepParticipant(CONFIG, this.#state, input);
    this.#state = step.state;
    for (const effect of step.effects) this.#perform(effect);
  }

  #perform(effect: ParticipantEffect): void {
    switch (effect.type) {
      case "send":
        this.#send(effect.message);
        if (this.lies && this.#random.next() < this.weather.lie) this.#lie();
        return;
      case "train":
      case "carry-training":
        return this.#train(effect.offer);
      case "upload": {
        const { roundId, digest } = effect;
        return this.#put(() =>
          this.#coordinator.upload(this.id, roundId, this.#digest(digest), this.#uploaded(roundId)),
        );
      }
      case "secure-step": {
        const { roundId, request } = effect;
        const { step } = request;
        return this.#put(() =>
          this.#coordinator.secureAnswer(this.id, roundId, step, (answer) => {
            if (answer === "counted" && this.#random.next() >= this.weather.answerLost)
              return this.#give({ type: "secure-answered", roundId, step });
            const retryable = answer === "broken" || answer === "counted";
            this.#give({ type: "secure-failed", roundId, step, code: "secagg/phase-over", retryable });
          }),
        );
      }
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = this.#clock.schedule(Math.max(0, effect.at - this.#clock.now()), () =>
          this.#give({ type: "tick" }),
        );
        return;
      default:
    }
  }

  #train({ roundId }: Extract<ParticipantEffect, { type: "train" }>["offer"]): void {
    const takesMs = this.#random.next() < this.weather.slow ? 120_000 : 500 + this.#random.integer(15_000);
    const number = 1_000 * this.#index + this.#trainings++;
    this.#clock.schedule(takesMs, () => {
      if (this.#random.next() < this.weather.trainFails)
        return this.#give({ type: "train-failed", roundId, code: "federation/training-failed" });
      if (this.#coordinator.logs[0]!.config.secure === null)
        return this.#give({ type: "trained", roundId, ...claim(number, { numExamples: 10 }), metrics: [] });
      const commitment = sha256(encodeUtf8(`commitment ${number}`));
      this.#give({
        type: "trained-securely",
        roundId,
        numExamples: 10,
        commitment,
        certificate: new Uint8Array(4),
      });
    });
  }

  #put(arrive: () => void): void {
    this.#clock.schedule(20 + this.#random.integer(1_500), arrive);
  }

  #uploaded(roundId: Parameters<FleetCoordinator["upload"]>[1]): (answer: Answer) => void {
    return (answer) => {
      const id = roundId as ReturnType<typeof roundConfig>["roundId"];
      const fail = (code: string, retryable: boolean) =>
        this.#give({ type: "upload-failed", roundId: id, code, retryable });
      const lost =
        this.#random.next() < this.weather.answerLost || this.#random.next() < this.weather.uploadFails;
      if (lost || answer === "broken") return fail("transport/upload-failed", true);
      if (answer === "counted") return this.#give({ type: "uploaded", roundId: id });
      fail(answer === "refused" ? "update/not-finite" : "round/deadline-passed", false);
    };
  }

  /** What it uploads, now and then, is not what it announced. */
  #digest<T extends string>(digest: T): T {
    if (!this.lies || this.#random.next() >= this.weather.lie) return digest;
    return sha256(encodeUtf8(`lie ${this.#random.integer(100)}`)) as string as T;
  }

  /** A valid frame that is not true: of this round or another, of a stage that it is not in. */
  #lie(): void {
    const logs = this.#coordinator.logs;
    const { roundId } = logs[Math.max(0, logs.length - 1 - this.#random.integer(2))]!.config;
    const { task } = CONFIG;
    const other = sha256(encodeUtf8(`lie ${this.#random.integer(100)}`));
    const messages: readonly DeviceMessage[] = [
      { type: "ready", roundId, numExamples: this.#random.integer(3), updateDigest: other, sizeBytes: 9 },
      { type: "secure-ready", roundId, commitment: other, certificate: new Uint8Array(4) },
      { type: "decline", roundId, code: "federation/training-failed" },
      { type: "check-in", task, examples: this.#random.integer(3) },
      { type: "leave", task },
    ];
    this.#send(messages[this.#random.integer(messages.length)]!);
    const step = (["advertise", "share", "mask", "sign", "unmask"] as const)[this.#random.integer(5)]!;
    this.#put(() => this.#coordinator.upload(this.id, roundId, other, () => {}));
    if (this.#random.next() < 0.3)
      this.#put(() => this.#coordinator.secureAnswer(this.id, roundId, step, () => {}));
  }
}
