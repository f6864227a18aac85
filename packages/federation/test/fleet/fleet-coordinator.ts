import { asModelVersion, asRoundId, encodeUtf8, sha256, type DeviceId, type Digest } from "@tributary/core";
import type { VirtualClock } from "@tributary/core/testing";
import type { DeviceMessage, SecureStepName, ServerMessage } from "@tributary/protocol";
import {
  initialRound,
  invitationOf,
  roundDeadline,
  roundEnded,
  stepRound,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "../../src/index.ts";
import { configOf, type Story, type Weather } from "./story.ts";

/** What is on disk of a round. */
export interface RoundLog {
  readonly config: RoundConfig;
  /** The journal: `inputs` up to `written` outlive a crash. */
  readonly inputs: RoundInput[];
  written: number;
  /** Bodies that passed their checks, by device and digest. */
  readonly files: Set<string>;
  /** Of the last process that summed: whose updates, in order. */
  summed: readonly DeviceId[];
  state: RoundState;
  /** First offer, and the end; of the coordinator's clock. */
  trainingAt: number | null;
  endedAt: number | null;
  /** While nobody ran it, and while its sum was being made. */
  excusedMs: number;
}

/** What a commit stores at once. */
export interface StoredVersion {
  readonly version: number;
  readonly round: number;
  readonly summed: readonly DeviceId[];
}

export type Answer = "counted" | "refused" | "closed" | "broken";

const MAX_AGGREGATIONS = 3;

/**
 * A coordinator whose memory is lost at any moment: it drives rounds as the real one does, with a journal that is written a
 * little later than it is spoken of, and everything that leaves it waiting for that.
 */
export class FleetCoordinator {
  readonly logs: RoundLog[] = [];
  readonly versions: StoredVersion[] = [];
  crashes = 0;
  weather: Weather;
  readonly #story: Story;
  readonly #clock: VirtualClock;
  readonly #send: (device: DeviceId, message: ServerMessage) => void;
  readonly #hangUp: () => void;
  readonly #checkedIn = new Map<DeviceId, number>();
  #up = true;
  /** Timers and callbacks of an earlier life find another number. */
  #life = 0;
  #state!: RoundState;
  #summed: DeviceId[] = [];
  #outbox: { readonly after: number; readonly run: () => void; readonly lost?: () => void }[] = [];
  #writing = false;
  #timer: { cancel(): void } | undefined;

  constructor(
    story: Story,
    clock: VirtualClock,
    link: { readonly send: (device: DeviceId, message: ServerMessage) => void; readonly hangUp: () => void },
  ) {
    this.#story = story;
    this.weather = story.weather;
    this.#clock = clock;
    this.#send = link.send;
    this.#hangUp = link.hangUp;
  }

  get up(): boolean {
    return this.#up;
  }

  begin(): void {
    const round = this.logs.length + 1;
    const config = configOf(this.#story, round, asRoundId(`digits-${round}`));
    const state = initialRound(config);
    const common = { written: 0, trainingAt: null, endedAt: null, excusedMs: 0 };
    this.logs.push({ config, inputs: [], files: new Set(), summed: [], state, ...common });
    this.#state = state;
    this.#summed = [];
    this.#give({ type: "start" });
    for (const [device, examples] of this.#checkedIn) {
      if (!this.#up || this.#log.config !== config || roundEnded(this.#state)) return;
      this.#give({ type: "check-in", device, examples });
    }
  }

  /** A message of a device arrives. */
  receive(device: DeviceId, message: DeviceMessage): void {
    if (!this.#up) return;
    const current = "roundId" in message && message.roundId === this.#log.config.roundId;
    switch (message.type) {
      case "check-in":
        this.#checkedIn.set(device, message.examples);
        return this.#give({ type: "check-in", device, examples: message.examples });
      case "leave":
        this.#checkedIn.delete(device);
        return this.#give({ type: "leave", device });
      case "ready": {
        const { type, numExamples, updateDigest, sizeBytes } = message;
        if (!current || roundEnded(this.#state)) return this.#stale(device, message);
        return this.#give({ type, device, numExamples, updateDigest, sizeBytes });
      }
      case "secure-ready": {
        const { type, commitment } = message;
        if (!current || roundEnded(this.#state)) return this.#stale(device, message);
        // Its certificate is verified first.
        return this.#later(this.#story.random.integer(20), () => this.#give({ type, device, commitment }));
      }
      case "decline":
        if (current) this.#give({ type: "decline", device, code: message.code });
        return;
      default:
    }
  }

  disconnected(device: DeviceId): void {
    if (!this.#up) return;
    this.#checkedIn.delete(device);
    this.#give({ type: "disconnect", device });
  }

  /** A PUT of an update; answered once what it led to is on disk. */
  upload(device: DeviceId, roundId: string, digest: Digest, answer: (answer: Answer) => void): void {
    if (!this.#up) return answer("broken");
    if (roundId !== this.#log.config.roundId || roundEnded(this.#state)) return answer("closed");
    const invitation = invitationOf(this.#state, device);
    if (invitation.status === "reported")
      return answer(invitation.claim.updateDigest === digest ? "counted" : "refused");
    if (invitation.status !== "invited") return answer("closed");
    if (invitation.claim.updateDigest !== digest) return answer("refused");
    if (this.#story.random.next() < this.weather.refusesUpdate) {
      this.#give({ type: "report-refused", device, code: "update/not-finite" });
      return answer("refused");
    }
    this.#log.files.add(`${device} ${digest}`);
    const before = this.#state.counts.reported;
    const life = this.#life;
    this.#give({ type: "report-accepted", device, digest });
    if (life !== this.#life) return answer("broken");
    if (this.#state.counts.reported === before) return answer("closed");
    this.#leave(
      () => answer("counted"),
      () => answer("broken"),
    );
  }

  /** A PUT of a member's answer to a step. */
  secureAnswer(
    device: DeviceId,
    roundId: string,
    step: SecureStepName,
    answer: (answer: Answer) => void,
  ): void {
    if (!this.#up) return answer("broken");
    const state = this.#state;
    if (roundId !== this.#log.config.roundId) return answer("closed");
    if (state.phase !== "securing" || state.cohort.step !== step) return answer("closed");
    const life = this.#life;
    this.#give({ type: "secure-answered", device, step });
    if (life !== this.#life) return answer("broken");
    this.#leave(
      () => answer("counted"),
      () => answer("broken"),
    );
  }

  get #log(): RoundLog {
    return this.logs.at(-1)!;
  }

  #stale(device: DeviceId, message: Extract<DeviceMessage, { type: "ready" | "secure-ready" }>): void {
    const { roundId } = message;
    this.#send(device, { type: "outcome", roundId, result: "late", code: "round/stale-round" });
  }

  #give(
    timeless: RoundInput extends infer I ? (I extends RoundInput ? Omit<I, "now"> : never) : never,
  ): void {
    if (!this.#up) return;
    const log = this.#log;
    const input = { ...timeless, now: this.#clock.now() } as RoundInput;
    const before = this.#state;
    const { state, effects } = stepRound(log.config, before, input);
    if (state === before && effects.length === 0) return;
    if (state !== before && !roundEnded(before)) log.inputs.push(input);
    this.#become(state);
    this.#write();
    for (const effect of effects) this.#perform(effect);
    if (this.#story.random.next() < this.weather.crash)
      this.#later(this.#story.random.integer(15), () => this.#crash());
  }

  #become(state: RoundState): void {
    const log = this.#log;
    // What comes after the end changes no round any more.
    if (!roundEnded(this.#state)) log.state = state;
    this.#state = state;
    if (log.trainingAt === null && state.phase !== "selecting") log.trainingAt = this.#clock.now();
    if (roundEnded(state)) log.endedAt ??= this.#clock.now();
  }

  #perform(effect: RoundEffect): void {
    const { random } = this.#story;
    const log = this.#log;
    const { roundId, round } = log.config;
    switch (effect.type) {
      case "send":
        return this.#leave(() => this.#send(effect.device, effect.message));
      case "secure-step": {
        const { device, ...step } = effect;
        return this.#leave(() => this.#send(device, { ...step, roundId, capability: new Uint8Array(32) }));
      }
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = this.#clock.schedule(Math.max(0, effect.at - this.#clock.now()), () =>
          this.#give({ type: "tick" }),
        );
        return;
      case "secure-open": {
        const { step, members } = effect;
        const digests = members.map((member) => (member === null ? null : sha256(encodeUtf8(step + member))));
        return this.#later(random.integer(200), () => {
          if (this.#log === log) this.#give({ type: "secure-opened", step, digests });
        });
      }
      case "accumulate":
        this.#summed.push(effect.device);
        return;
      case "aggregate": {
        const takesMs = random.integer(3_000);
        log.excusedMs += takesMs;
        const summed = log.config.secure === null ? [...this.#summed] : effect.devices;
        return this.#later(takesMs, () => {
          // Time may end reporting in the very step that abandons the round.
          if (this.#log !== log || roundEnded(this.#state)) return;
          this.#give({ type: "aggregated" });
          // Version, row and journal are one transaction.
          const version = asModelVersion(this.versions.length + 2);
          const input: RoundInput = { type: "committed", version, now: this.#clock.now() };
          const step = stepRound(log.config, this.#state, input);
          log.inputs.push(input);
          log.written = log.inputs.length;
          log.summed = summed;
          this.versions.push({ version, round, summed });
          this.#become(step.state);
          this.#flush();
          for (const after of step.effects) this.#perform(after);
        });
      }
      case "carry":
        throw new Error("these rounds are not of a buffer");
      case "ended":
        this.#timer?.cancel();
        // The next one begins when the end of this one is stored.
        return this.#leave(() => this.#later(1 + random.integer(50), () => this.begin()));
      default: {
        const never: never = effect;
        throw new TypeError(`no such effect ${String(never)}`);
      }
    }
  }

  /** Once everything up to now is on disk; `lost` when it never will be. */
  #leave(run: () => void, lost?: () => void): void {
    const { inputs, written } = this.#log;
    if (written === inputs.length && this.#outbox.length === 0) run();
    else this.#outbox.push({ after: inputs.length, run, ...(lost === undefined ? {} : { lost }) });
  }

  #write(): void {
    if (this.#writing) return;
    this.#writing = true;
    const log = this.#log;
    const taken = log.inputs.length;
    this.#later(this.#story.random.integer(20), () => {
      this.#writing = false;
      if (this.#log !== log) return this.#write();
      log.written = Math.max(log.written, taken);
      this.#flush();
      if (log.written < log.inputs.length) this.#write();
    });
  }

  #flush(): void {
    while (this.#outbox.length > 0 && this.#outbox[0]!.after <= this.#log.written)
      this.#outbox.shift()!.run();
  }

  #later(delayMs: number, run: () => void): void {
    const life = this.#life;
    this.#clock.schedule(delayMs, () => {
      if (life === this.#life && this.#up) run();
    });
  }

  /** `kill -9`: what was not on disk never was. */
  #crash(): void {
    this.crashes += 1;
    this.#life += 1;
    this.#up = false;
    this.#timer?.cancel();
    this.#checkedIn.clear();
    const log = this.#log;
    log.inputs.length = log.written;
    log.endedAt = null;
    this.#writing = false;
    const lost = this.#outbox;
    this.#outbox = [];
    for (const each of lost) each.lost?.();
    this.#hangUp();
    const downMs = this.#story.random.integer(this.weather.maxDowntimeMs + 1);
    log.excusedMs += downMs;
    this.#clock.schedule(downMs, () => this.#restart());
  }

  #restart(): void {
    this.#up = true;
    const log = this.#log;
    let state = initialRound(log.config);
    let aggregations = 0;
    this.#summed = [];
    log.trainingAt = null;
    for (const input of log.inputs) {
      const step = stepRound(log.config, state, input);
      state = step.state;
      if (state.phase !== "selecting") log.trainingAt ??= input.now;
      for (const effect of step.effects) {
        if (effect.type === "aggregate") aggregations += 1;
        if (effect.type !== "accumulate") continue;
        if (!log.files.has(`${effect.device} ${effect.claim.updateDigest}`))
          throw new Error("an update is lost");
        this.#summed.push(effect.device);
      }
    }
    this.#state = state;
    log.state = state;
    const now = this.#clock.now();
    if (roundEnded(state)) {
      log.endedAt = now;
      return this.begin();
    }
    const deadline = roundDeadline(state);
    const over =
      log.config.secure !== null ||
      (deadline !== null && now >= deadline) ||
      (state.phase === "aggregating" && aggregations >= MAX_AGGREGATIONS);
    if (over) return this.#give({ type: "abandon", code: "round/interrupted" });
    this.#give({ type: "resumed" });
    if (log.inputs.length <= 1) this.#give({ type: "start" });
  }
}
