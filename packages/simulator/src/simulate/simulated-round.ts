import { failure, TributaryError, type DeviceId, type ErrorCode, type ModelVersion } from "@tributary/core";
import {
  impossibleIn,
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
import { createMetrics, trainingMetrics } from "@tributary/metrics";
import {
  decodeDeviceMessage,
  encodeServerMessage,
  isHeldOut,
  type DeviceMessage,
  type IneligibleReason,
  type RoundOffer,
  type SecureStepName,
  type ServerMessage,
} from "@tributary/protocol";
import { MeasuredUpdates } from "./measured-updates.ts";
import { PlainUpdates } from "./plain-updates.ts";
import { Recruiter } from "./recruiter.ts";
import type { RoundWork } from "./round-work.ts";
import { SecureUpdates } from "./secure-updates.ts";
import type { Attendance } from "./attendance.ts";
import type { Identities } from "./identities.ts";
import { SimulatedDevice, type DeviceSurroundings, type ServerPort } from "./simulated-device.ts";

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

/** Outcomes are on their way for less. */
const OUTCOME_MS = 60_000;
/** `secure-step` carries one; the simulation's transport needs none. */
const NO_CAPABILITY = new Uint8Array(32);

/** A round with its server half and the devices that meet it. */
export class SimulatedRound implements ServerPort {
  readonly work: RoundWork;
  /** Devices that gave up, by why. */
  readonly declines: Record<string, number> = {};
  /** Devices that the task does not ask, by the rule they do not meet. */
  readonly ineligible: { [Reason in IneligibleReason]?: number } = {};
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
  readonly #devices = new Map<DeviceId, SimulatedDevice>();
  readonly #recruiter: Recruiter;
  readonly #plain: PlainUpdates | MeasuredUpdates;
  readonly #secure: SecureUpdates | undefined;
  #state: RoundState;
  /** Whether others than those that are there may come. */
  #recruits = true;
  /** Devices on their way that have not checked in. */
  readonly #arriving = new Set<DeviceId>();
  #timer: { cancel(): void } | undefined;

  constructor(options: SimulatedRoundOptions) {
    const { config, around, work } = options;
    const { task, verifyMember } = around;
    this.#options = options;
    this.work = work;
    this.startMs = around.clock.monotonicMs();
    this.#state = initialRound(config);
    this.#plain =
      work.type === "measure"
        ? new MeasuredUpdates(work.gate.plan, config.roundId)
        : new PlainUpdates(
            task.rules,
            config.roundId,
            // A cohort of a buffer is averaged; what the strategy compares is the means of cohorts.
            config.buffered === true ? { kind: "mean" } : task.strategy.strategy.aggregation,
            work.rootUpdate,
          );
    const { secure } = work.type === "measure" ? work.gate : task.rules;
    this.#secure = secure === null ? undefined : new SecureUpdates({ config, secure, verifyMember });
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

  get ended(): boolean {
    return this.endedMs !== null;
  }

  get state(): RoundState {
    return this.#state;
  }

  /** `trainingMetrics` of whose updates are in the sum. */
  get metrics(): Float64Array<ArrayBuffer> {
    if (this.#secure !== undefined) return this.#secure.metrics;
    return this.#plain instanceof PlainUpdates ? this.#plain.metrics : createMetrics(trainingMetrics);
  }

  /** Ends it without a sum. */
  abandon(code: ErrorCode): void {
    this.#give({ type: "abandon", code });
  }

  /** In buffered mode: nobody else will train from its base. */
  close(): void {
    this.#recruits = false;
    this.#give({ type: "close" });
  }

  async begin(): Promise<void> {
    this.#give({ type: "start" });
    await this.#recruiter.recruit();
  }

  /**
   * Begins with devices that train on for it, from a round on the same base.
   *
   * @param recruits whether others come too
   */
  async goOn(from: SimulatedRound, devices: readonly DeviceId[], recruits: boolean): Promise<void> {
    this.#recruits = recruits;
    this.#give({ type: "start" });
    this.#adopt(from, devices);
    await this.#recruiter.recruit();
  }

  #adopt(from: SimulatedRound, devices: readonly DeviceId[]): void {
    for (const id of devices) {
      const device = from.#devices.get(id);
      if (device === undefined) continue;
      from.#devices.delete(id);
      this.#devices.set(id, device);
      device.join(this);
      const examples = this.#options.around.data.countOf(device.client);
      this.#give({ type: "check-in", device: id, examples });
    }
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
    this.#arriving.delete(device);
    this.#give({ type: "disconnect", device });
  }

  vanished(device: DeviceId): void {
    const client = this.#devices.get(device)?.client;
    if (client !== undefined) this.#options.attendance.left(client);
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
    if (this.ended) return;
    const { config, onChange } = this.#options;
    const { state, effects } = stepRound(config, this.#state, { ...input, now: this.#now() } as RoundInput);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
    onChange(this.#state);
    if (!roundEnded(this.#state)) return this.#recruiter.look();
    const { clock } = this.#options.around;
    this.endedMs = clock.monotonicMs();
    for (const { client } of this.#devices.values()) this.#options.attendance.left(client);
    // Once they have heard how it ended.
    clock.schedule(OUTCOME_MS, () => {
      for (const device of this.#devices.values()) device.stop();
    });
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
            const made = await this.#made();
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
    const { attendance, around } = this.#options;
    this.offeredMs ??= around.clock.monotonicMs();
    const client = this.#devices.get(device)?.client;
    if (client !== undefined) attendance.began(client, this.config.baseVersion);
  }

  /** What the sum makes; null: it was measured, and there is no version. */
  async #made(): Promise<ModelVersion | "buffered" | null> {
    const { work } = this;
    const secure = this.#secure;
    if (this.#plain instanceof PlainUpdates) {
      if (work.type !== "train") throw new TypeError("simulate: updates of a round that measures");
      return work.commit(await (secure?.mean(this.#options.around.task.rules) ?? this.#plain.mean()));
    }
    if (work.type !== "measure") throw new TypeError("simulate: measurements of a round that trains");
    const { sums, devices } = secure === undefined ? this.#plain : await secure.measured();
    const wrong = impossibleIn(work.gate.plan, sums, devices);
    if (wrong !== undefined)
      throw failure("round/secure-sum-refused", `simulate: the sum has ${wrong.what}`, {
        detail: wrong.detail,
      });
    work.commit(sums, devices);
    return null;
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
    if (!this.#recruits || (phase !== "selecting" && phase !== "training")) return 0;
    return this.#options.config.offerLimit - tally.open - tally.candidates - this.#arriving.size;
  }

  /** What a device would say first is known before its keys are made. */
  #willing(client: number): boolean {
    const { clients, clock, task } = this.#options.around;
    const { eligibility } = task.rules.plan;
    if (!this.#options.attendance.mayCome(client, this.config.baseVersion)) return false;
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
    const id = identity.identity?.device ?? around.clients.deviceOf(client);
    // With a gate, held-out devices measure and the others train.
    const { gate, name } = task.spec;
    if (gate !== null && isHeldOut(id, name, gate.heldOutShare) !== (this.work.type === "measure")) return;
    this.#options.attendance.came(client);
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
