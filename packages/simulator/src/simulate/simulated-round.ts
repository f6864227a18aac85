import { failure, TributaryError, type DeviceId, type ErrorCode, type ModelVersion } from "@tributary/core";
import {
  ineligibleReason,
  initialRound,
  invitationOf,
  roundEnded,
  stepRound,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "@tributary/federation";
import type { RoundMean } from "@tributary/federation/aggregation";
import {
  decodeDeviceMessage,
  encodeServerMessage,
  type DeviceMessage,
  type IneligibleReason,
  type RoundOffer,
  type SecureStepName,
  type ServerMessage,
} from "@tributary/protocol";
import { PlainUpdates } from "./plain-updates.ts";
import { Recruiter } from "./recruiter.ts";
import { SecureUpdates } from "./secure-updates.ts";
import type { Identities } from "./identities.ts";
import { SimulatedDevice, type DeviceSurroundings, type ServerPort } from "./simulated-device.ts";

export interface SimulatedRoundOptions {
  readonly config: RoundConfig;
  readonly around: Omit<DeviceSurroundings, "server">;
  readonly base: ServerPort["base"];
  readonly identities: Identities;
  /** Trains what a strategy compares updates with. */
  readonly rootUpdate: () => Promise<Float32Array>;
  /** Turns the mean into the next version; resolves when it is evaluated. */
  readonly commit: (mean: RoundMean) => Promise<ModelVersion>;
  readonly onChange: (state: RoundState) => void;
}

/** An input without its time. */
type Timeless = RoundInput extends infer Input
  ? Input extends RoundInput
    ? Omit<Input, "now">
    : never
  : never;

/** A round may wait for its devices so long. */
const STALLED_MS = 14 * 24 * 3_600_000;
/** Outcomes are on their way for less. */
const OUTCOME_MS = 60_000;
/** `secure-step` carries one; the simulation's transport needs none. */
const NO_CAPABILITY = new Uint8Array(32);

/** A round with its server half and the devices that meet it. */
export class SimulatedRound implements ServerPort {
  readonly base: ServerPort["base"];
  /** Devices that gave up, by why. */
  readonly declines: Record<string, number> = {};
  /** Devices that the task does not ask, by the rule they do not meet. */
  readonly ineligible: { [Reason in IneligibleReason]?: number } = {};
  /** In the simulation's own time; null: before the first offer. */
  offeredMs: number | null = null;
  bytesUp = 0;
  bytesDown = 0;
  readonly #options: SimulatedRoundOptions;
  readonly #devices = new Map<DeviceId, SimulatedDevice>();
  readonly #recruiter: Recruiter;
  readonly #plain: PlainUpdates;
  readonly #secure: SecureUpdates | undefined;
  #state: RoundState;
  /** Devices on their way that have not checked in. */
  readonly #arriving = new Set<DeviceId>();
  #timer: { cancel(): void } | undefined;
  #ended = false;

  constructor(options: SimulatedRoundOptions) {
    const { config, around, base } = options;
    const { task, verifyMember } = around;
    this.#options = options;
    this.base = base;
    this.#state = initialRound(config);
    this.#plain = new PlainUpdates(
      task.rules,
      config.roundId,
      task.strategy.strategy.aggregation,
      options.rootUpdate,
    );
    const { secure } = task.rules;
    this.#secure =
      secure === null ? undefined : new SecureUpdates({ config, rules: task.rules, secure, verifyMember });
    this.#recruiter = new Recruiter({
      ...around,
      config,
      wanted: () => this.#wanted(),
      willing: (client) => this.#willing(client),
      come: (client) => this.#come(client),
    });
  }

  get config(): RoundConfig {
    return this.#options.config;
  }

  get state(): RoundState {
    return this.#state;
  }

  /** `trainingMetrics` of whose updates are in the sum. */
  get metrics(): Float64Array<ArrayBuffer> {
    return (this.#secure ?? this.#plain).metrics;
  }

  /** Ends it without a sum. */
  abandon(code: ErrorCode): void {
    this.#give({ type: "abandon", code });
  }

  /**
   * Plays the round to its end.
   *
   * @throws `simulator/stalled`, `signal.reason`
   */
  async run(signal: AbortSignal | undefined): Promise<void> {
    const { clock } = this.#options.around;
    const startMs = clock.monotonicMs();
    this.#give({ type: "start" });
    await this.#recruiter.recruit();
    while (!this.#ended) {
      signal?.throwIfAborted();
      const moved = await clock.runNext();
      if (moved && clock.monotonicMs() - startMs < STALLED_MS) continue;
      const { open, candidates } = this.#state.tally;
      throw failure(
        "simulator/stalled",
        `simulate: ${this.#options.config.roundId} did not begin within ${STALLED_MS / 86_400_000} simulated days: ${open + candidates} of ${this.#options.config.minimumCount} devices came`,
        { detail: { roundId: this.#options.config.roundId } },
      );
    }
    // Once they have heard how it ended.
    clock.schedule(OUTCOME_MS, () => {
      for (const device of this.#devices.values()) device.stop();
    });
  }

  receive(device: DeviceId, frame: Uint8Array): Promise<void> {
    return this.#receive(device, decodeDeviceMessage(frame));
  }

  disconnected(device: DeviceId): void {
    this.#arriving.delete(device);
    this.#give({ type: "disconnect", device });
  }

  vanished(device: DeviceId): void {
    this.#devices.delete(device);
  }

  countBytes(direction: "up" | "down", bytes: number): void {
    if (direction === "up") this.bytesUp += bytes;
    else this.bytesDown += bytes;
  }

  upload(device: DeviceId, offer: RoundOffer, body: Uint8Array<ArrayBuffer>): void {
    const invitation = invitationOf(this.#state, device);
    if (invitation.status === "reported") return;
    if (invitation.status !== "invited" || offer.roundId !== this.#options.config.roundId) {
      throw failure("round/deadline-passed", `simulate: reporting of ${offer.roundId} has ended`);
    }
    try {
      this.#plain.check(device, invitation.claim, body);
    } catch (error) {
      if (TributaryError.is(error)) this.#give({ type: "report-refused", device, code: error.code });
      throw error;
    }
    this.#give({ type: "report-accepted", device, digest: invitation.claim.updateDigest });
  }

  secureInput(step: SecureStepName, member: number): Uint8Array<ArrayBuffer> {
    return this.#secure!.input(step, member);
  }

  async secureAnswer(
    device: DeviceId,
    step: SecureStepName,
    member: number,
    answer: Uint8Array,
  ): Promise<void> {
    const { phase } = this.#state;
    if (phase !== "securing" || this.#state.cohort.step !== step) {
      throw failure("secagg/phase-over", `simulate: ${step} is over`, { detail: { step } });
    }
    // An answer that was counted, whose word got lost.
    if (!this.#state.cohort.outstanding.has(device)) return;
    await this.#secure!.accept(step, member, answer);
    this.#give({ type: "secure-answered", device, step });
  }

  async #receive(device: DeviceId, message: DeviceMessage): Promise<void> {
    const { roundId } = this.#options.config;
    if ("roundId" in message && message.roundId !== roundId) {
      return this.#send(device, {
        type: "outcome",
        roundId: message.roundId,
        result: "late",
        code: "round/stale-round",
      });
    }
    switch (message.type) {
      case "check-in":
        this.#arriving.delete(device);
        return this.#give({ type: "check-in", device, examples: message.examples });
      case "leave":
        return this.#give({ type: "leave", device });
      case "ready": {
        const { numExamples, updateDigest, sizeBytes } = message;
        return this.#give({ type: "ready", device, numExamples, updateDigest, sizeBytes });
      }
      case "secure-ready": {
        const { certificate, commitment } = message;
        await this.#secure?.admit(device, { certificate, commitment }, this.#now());
        return this.#give({ type: "secure-ready", device, commitment });
      }
      case "ineligible":
        // It stopped to meet a rule while it was on its way, or in the round.
        this.#countIneligible(message.reason);
        this.#arriving.delete(device);
        return this.#give({ type: "leave", device });
      case "decline":
        this.declines[message.code] = (this.declines[message.code] ?? 0) + 1;
        return this.#give({ type: "decline", device, code: message.code });
      default:
        // Greetings and what is not about a round do not occur: connections begin as sessions.
        return;
    }
  }

  #give(input: Timeless): void {
    if (this.#ended) return;
    const { config, onChange } = this.#options;
    const { state, effects } = stepRound(config, this.#state, { ...input, now: this.#now() } as RoundInput);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    this.#ended = roundEnded(this.#state);
    onChange(this.#state);
    this.#recruiter.look();
  }

  #perform(effect: RoundEffect): void {
    const { clock } = this.#options.around;
    switch (effect.type) {
      case "send":
        if (effect.message.type === "offer") this.offeredMs ??= clock.monotonicMs();
        return this.#send(effect.device, effect.message);
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = clock.schedule(Math.max(0, effect.at - clock.now()), () =>
          this.#give({ type: "tick" }),
        );
        return;
      case "accumulate":
        return this.#plain.accumulate(effect.device);
      case "secure-open":
        clock.schedule(0, async () => {
          try {
            const digests = await this.#secure!.open(effect);
            this.#give({ type: "secure-opened", step: effect.step, digests });
          } catch (error) {
            this.#abandon(error);
          }
        });
        return;
      case "secure-step": {
        const { device, step, member, digest, deadlineMs } = effect;
        const { roundId } = this.#options.config;
        const asked = { roundId, step, member, digest, deadlineMs, capability: NO_CAPABILITY };
        return this.#send(device, { type: "secure-step", ...asked });
      }
      case "aggregate":
        clock.schedule(0, async () => {
          try {
            const mean = await (this.#secure ?? this.#plain).mean();
            const version = await this.#options.commit(mean);
            this.#give({ type: "aggregated" });
            this.#give({ type: "committed", version });
          } catch (error) {
            this.#abandon(error);
          }
        });
        return;
      case "carry":
        throw new TypeError("simulate: a synchronous round carries no device on");
      case "ended":
        this.#timer?.cancel();
        return;
      default: {
        const never: never = effect;
        throw new TypeError(`simulate: no such effect ${String(never)}`);
      }
    }
  }

  /** What is no coded error is a fault of the simulation, not of the round. */
  #abandon(error: unknown): void {
    if (!TributaryError.is(error)) throw error;
    this.#give({ type: "abandon", code: error.code });
  }

  #send(device: DeviceId, message: ServerMessage): void {
    this.#devices.get(device)?.deliver(encodeServerMessage(message));
  }

  #wanted(): number {
    const { phase, tally } = this.#state;
    if (phase !== "selecting" && phase !== "training") return 0;
    return this.#options.config.offerLimit - tally.open - tally.candidates - this.#arriving.size;
  }

  /** What a device would say first is known before its keys are made. */
  #willing(client: number): boolean {
    const { clients, clock, task } = this.#options.around;
    const { eligibility } = task.rules.plan;
    if (eligibility === undefined) return true;
    const reason = ineligibleReason(eligibility, clients.conditions(client, clock.now()).conditions);
    if (reason !== null) this.#countIneligible(reason);
    return reason === null;
  }

  #countIneligible(reason: IneligibleReason): void {
    this.ineligible[reason] = (this.ineligible[reason] ?? 0) + 1;
  }

  async #come(client: number): Promise<void> {
    const { around, identities, config } = this.#options;
    const { clock, task } = around;
    const identity =
      this.#secure === undefined
        ? {}
        : { identity: await identities.of(client, task.rules.plan.population, clock.now()) };
    const device = new SimulatedDevice(
      { ...around, server: this },
      { client, round: config.roundId, ...identity },
    );
    this.#devices.set(device.id, device);
    this.#arriving.add(device.id);
    device.start();
  }

  #now(): number {
    return this.#options.around.clock.now();
  }
}
