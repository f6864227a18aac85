import { failure, TributaryError, type DeviceId, type ErrorCode } from "@tributary/core";
import {
  initialRound,
  invitationOf,
  roundEnded,
  stepRound,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "@tributary/federation";
import {
  decodeDeviceMessage,
  type DeviceMessage,
  type RoundOffer,
  type SecureStepName,
  type ServerMessage,
} from "@tributary/protocol";
import { RoundCrew } from "./round-crew.ts";
import { RoundSum } from "./round-sum.ts";
import type { RoundWork } from "./round-work.ts";
import type { Attendance } from "./attendance.ts";
import type { Identities } from "./identities.ts";
import type { DeviceSurroundings, ServerPort } from "./simulated-device.ts";

export interface SimulatedRoundOptions {
  readonly config: RoundConfig;
  readonly around: Omit<DeviceSurroundings, "server">;
  readonly work: RoundWork;
  readonly identities: Identities;
  readonly attendance: Attendance;
  readonly onChange: (state: RoundState) => void;
}

/** An input without its time. */
type Timeless = RoundInput extends infer Input
  ? Input extends RoundInput
    ? Omit<Input, "now">
    : never
  : never;

/** `secure-step` carries one; the simulation's transport needs none. */
const NO_CAPABILITY = new Uint8Array(32);

/** A round with its server half and the devices that meet it. */
export class SimulatedRound implements ServerPort {
  readonly work: RoundWork;
  /** Devices that gave up, by why. */
  readonly declines: Record<string, number> = {};
  /** In the simulation's own time; null: before the first offer. */
  offeredMs: number | null = null;
  bytesUp = 0;
  bytesDown = 0;
  /** When it began and ended, in the simulation's own time. */
  readonly startMs: number;
  endedMs: number | null = null;
  onEnded: () => void = () => {};
  /** In buffered mode: these devices train on, for the next round on the same base. */
  onCarry: (devices: readonly DeviceId[]) => void = () => {};
  readonly #options: SimulatedRoundOptions;
  readonly #crew: RoundCrew;
  readonly #sum: RoundSum;
  #state: RoundState;
  #timer: { cancel(): void } | undefined;

  constructor(options: SimulatedRoundOptions) {
    const { config, around, work } = options;
    const { task, verifyMember } = around;
    this.#options = options;
    this.work = work;
    this.startMs = around.clock.monotonicMs();
    this.#state = initialRound(config);
    this.#sum = new RoundSum(task, config, work, verifyMember);
    this.#crew = new RoundCrew({
      ...options,
      server: this,
      secure: this.#sum.secure !== undefined,
      places: () => this.#places(),
    });
  }

  get config(): RoundConfig {
    return this.#options.config;
  }

  get ended(): boolean {
    return this.endedMs !== null;
  }

  /** Devices that the task does not ask, by the rule they do not meet. */
  get ineligible(): RoundCrew["ineligible"] {
    return this.#crew.ineligible;
  }

  get state(): RoundState {
    return this.#state;
  }

  /** `trainingMetrics` of whose updates are in the sum. */
  get metrics(): Float64Array<ArrayBuffer> {
    return this.#sum.metrics;
  }

  /** Ends it without a sum. */
  abandon(code: ErrorCode): void {
    this.#give({ type: "abandon", code });
  }

  /** In buffered mode: nobody else will train from its base. */
  close(): void {
    this.#crew.close();
    this.#give({ type: "close" });
  }

  async begin(): Promise<void> {
    this.#give({ type: "start" });
    await this.#crew.recruit();
  }

  /**
   * Begins with devices that train on for it, from a round on the same base.
   *
   * @param recruits whether others come too
   */
  async goOn(from: SimulatedRound, devices: readonly DeviceId[], recruits: boolean): Promise<void> {
    if (!recruits) this.#crew.close();
    this.#give({ type: "start" });
    for (const [device, examples] of this.#crew.adopt(from.#crew, devices))
      this.#give({ type: "check-in", device, examples });
    await this.#crew.recruit();
  }

  /** There is no other round for devices that train on. */
  supersede(devices: readonly DeviceId[]): void {
    const { roundId } = this.config;
    for (const device of devices)
      this.#send(device, { type: "outcome", roundId, result: "superseded", code: "round/superseded" });
  }

  receive(device: DeviceId, frame: Uint8Array): Promise<void> {
    return this.#receive(device, decodeDeviceMessage(frame));
  }

  disconnected(device: DeviceId): void {
    this.#crew.arrived(device);
    this.#give({ type: "disconnect", device });
  }

  vanished(device: DeviceId): void {
    this.#crew.vanished(device);
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
      this.#sum.reported.check(device, invitation.claim, body);
    } catch (error) {
      if (TributaryError.is(error)) this.#give({ type: "report-refused", device, code: error.code });
      throw error;
    }
    this.#give({ type: "report-accepted", device, digest: invitation.claim.updateDigest });
  }

  secureInput(step: SecureStepName, member: number): Uint8Array<ArrayBuffer> {
    return this.#sum.secure!.input(step, member);
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
    await this.#sum.secure!.accept(step, member, answer);
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
        this.#crew.arrived(device);
        return this.#give({ type: "check-in", device, examples: message.examples });
      case "leave":
        return this.#give({ type: "leave", device });
      case "ready": {
        const { numExamples, updateDigest, sizeBytes } = message;
        return this.#give({ type: "ready", device, numExamples, updateDigest, sizeBytes });
      }
      case "secure-ready": {
        const { certificate, commitment } = message;
        await this.#sum.secure?.admit(device, { certificate, commitment }, this.#now());
        return this.#give({ type: "secure-ready", device, commitment });
      }
      case "ineligible":
        // It stopped to meet a rule while it was on its way, or in the round.
        this.#crew.countIneligible(message.reason);
        this.#crew.arrived(device);
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
    if (this.ended) return;
    const { config, onChange } = this.#options;
    const { state, effects } = stepRound(config, this.#state, { ...input, now: this.#now() } as RoundInput);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    onChange(this.#state);
    if (!roundEnded(this.#state)) return this.#crew.look();
    this.endedMs = this.#options.around.clock.monotonicMs();
    this.#crew.dismiss();
    this.onEnded();
  }

  #perform(effect: RoundEffect): void {
    const { clock } = this.#options.around;
    switch (effect.type) {
      case "send":
        if (effect.message.type.startsWith("offer")) this.#offered(effect.device);
        return this.#send(effect.device, effect.message);
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = clock.schedule(Math.max(0, effect.at - clock.now()), () =>
          this.#give({ type: "tick" }),
        );
        return;
      case "accumulate":
        return this.#sum.reported.accumulate(effect.device);
      case "secure-open":
        clock.schedule(0, async () => {
          try {
            const digests = await this.#sum.secure!.open(effect);
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
            const made = await this.#sum.commit();
            this.#give({ type: "aggregated" });
            this.#give(made === "buffered" ? { type: "buffered" } : { type: "committed", version: made });
          } catch (error) {
            this.#abandon(error);
          }
        });
        return;
      case "carry":
        return this.onCarry(effect.devices);
      case "ended":
        this.#timer?.cancel();
        return;
      default: {
        const never: never = effect;
        throw new TypeError(`simulate: no such effect ${String(never)}`);
      }
    }
  }

  #offered(device: DeviceId): void {
    this.offeredMs ??= this.#options.around.clock.monotonicMs();
    this.#crew.began(device);
  }

  /** What is no coded error is a fault of the simulation, not of the round. */
  #abandon(error: unknown): void {
    if (!TributaryError.is(error)) throw error;
    this.#give({ type: "abandon", code: error.code });
  }

  #send(device: DeviceId, message: ServerMessage): void {
    this.#crew.send(device, message);
  }

  #places(): number {
    const { phase, tally } = this.#state;
    if (phase !== "selecting" && phase !== "training") return 0;
    return this.#options.config.offerLimit - tally.open - tally.candidates;
  }

  #now(): number {
    return this.#options.around.clock.now();
  }
}
