import { trace } from "@opentelemetry/api";
import {
  toFailure,
  type DeviceId,
  type Digest,
  type ErrorCode,
  type LogFields,
  type PopulationName,
  type TributaryError,
} from "@tributary/core";
import {
  invitationOf,
  roundEnded,
  type Invitation,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
  type UpdateClaim,
} from "@tributary/federation";
import type { SecureReady, SecureStepName } from "@tributary/protocol";
import { storageFailure } from "../durable-files.ts";
import { RoundTrace } from "../observability/tracing/round-trace.ts";
import { TRACER_NAME } from "../observability/tracing/tracing.ts";
import type { RoundRecord } from "../ports/round-records.ts";
import type { MetricUpdates } from "./measurement/metric-updates.ts";
import { RoundAccount } from "./round-account.ts";
import { RoundEnd } from "./round-end.ts";
import { RoundMachine, type RoundMachineEvents } from "./round-machine.ts";
import type { PastRound, RoundRunOptions, TimelessInput } from "./round-run-options.ts";
import { openSecureSession, openUpdates, type RoundReceiver } from "./round-sources.ts";
import { roundOver, RoundStore } from "./round-store.ts";
import type { RoundUpdates } from "./round-updates.ts";
import type { SecureSession } from "./secure/secure-session.ts";
import { isItsFault } from "./secure/suspicions.ts";

/** How often a round's counts are shown while a phase goes on: everyone who watches is told each time. */
const SHOW_MS = 500;

/** One round under way: its machine, and what the machine's effects are carried out with. */
export class RoundRun {
  readonly config: RoundConfig;
  readonly updates: RoundUpdates | MetricUpdates;
  /** In secure rounds, instead of the updates. */
  readonly secure: SecureSession | undefined;
  /** The final row, when the round is over and stored. */
  readonly ended: Promise<RoundRecord>;
  readonly #options: RoundRunOptions;
  readonly #machine: RoundMachine;
  readonly #stored: RoundStore;
  readonly #account: RoundAccount;
  readonly #end: RoundEnd;
  readonly #trace: RoundTrace;
  readonly #resolveEnded: (record: RoundRecord) => void;
  #timer: { cancel(): void } | undefined;
  #showTimer: { cancel(): void } | undefined;
  #committing: Promise<void> | undefined;

  private constructor(given: RoundRunOptions, past?: PastRound) {
    this.#trace = traceOf(given);
    const options = withRoundsLog(given, this.#trace.logFields);
    const { config, services } = options;
    this.#options = options;
    this.config = config;
    const events: RoundMachineEvents = {
      note: (input) => this.#stored.note(input),
      perform: (effect) => this.#perform(effect),
      stepped: (before, after) => this.#stepped(before, after),
    };
    this.#machine = new RoundMachine(config, events, past?.state);
    this.#stored = new RoundStore(
      services,
      config.roundId,
      (error) => this.#fail(error, "store/unavailable"),
      past?.inputs,
    );
    this.#account = new RoundAccount(options, past);
    this.#trace.entered(this.state.phase);
    const { promise, resolve } = Promise.withResolvers<RoundRecord>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    const receiver: RoundReceiver = {
      invitationOf: (device) => this.invitationOf(device),
      accept: (device, claim) => this.#accept(device, claim),
      written: () => this.#stored.written(),
      refuse: (device, error, final) => this.#refuse(device, error, final),
      failed: (error) => this.#fail(error, "round/aggregation-failed"),
      expects: (device, step) => this.#expects(device, step),
      answered: (device, step) => this.give({ type: "secure-answered", device, step }),
      progressed: () => this.#show(),
    };
    this.updates = openUpdates(options, receiver);
    this.secure = openSecureSession(options, receiver);
    this.#end = new RoundEnd(options, {
      updates: this.updates,
      secure: this.secure,
      machine: this.#machine,
      stored: this.#stored,
      account: this.#account,
      record: (state) => this.record(state),
      failed: receiver.failed,
    });
  }

  /** Stores the round's row, so that its number is taken, and lets it begin. */
  static async begin(options: RoundRunOptions): Promise<RoundRun> {
    const run = new RoundRun(options);
    await run.#stored.insert(run.record());
    await run.#account.countDelta();
    run.give({ type: "start" });
    return run;
  }

  /**
   * Goes on with a round that another process began.
   *
   * @throws `store/corrupt` when its updates are not all there
   */
  static async resume(options: RoundRunOptions, past: PastRound): Promise<RoundRun> {
    const run = new RoundRun(options, past);
    await run.updates.restore(past.reported);
    await run.#account.countDelta();
    run.give({ type: "resumed" });
    if (past.inputs === 0) run.give({ type: "start" });
    run.#stored.update(run.record());
    return run;
  }

  get state(): RoundState {
    return this.#machine.state;
  }

  /** Devices with an open offer. */
  get training(): number {
    return this.state.phase === "training" ? this.state.tally.open : 0;
  }

  record(state = this.state): RoundRecord {
    const { numExamples, metrics, bytesUp } = this.secure ?? this.updates;
    const unmasked = this.secure?.unmasked ?? 0;
    return this.#account.record(state, { numExamples, metrics, bytesUp, unmasked });
  }

  invitationOf(device: DeviceId): Invitation {
    return invitationOf(this.state, device);
  }

  /** Whose devices take part. */
  get population(): PopulationName {
    return this.#options.task.population;
  }

  /**
   * A device says that it is ready for a secure cohort.
   *
   * @throws `identity/*` when the other members would not accept its certificate
   */
  async secureReady(
    device: DeviceId,
    { certificate, commitment }: Pick<SecureReady, "certificate" | "commitment">,
  ): Promise<void> {
    const stage = this.state.participants.get(device)?.stage;
    // Who has no offer is refused by the machine, and nothing is kept of it.
    if (stage === "offered" || stage === "ready") {
      await this.secure?.admit(device, { certificate, commitment });
    }
    this.give({ type: "secure-ready", device, commitment });
  }

  /** Whether a blob is what devices get for this round. */
  uses(digest: Digest): boolean {
    return this.#account.uses(digest);
  }

  /** Bytes of what it uses were sent to a device. */
  served(sizeBytes: number): void {
    this.#account.served(sizeBytes);
  }

  give(input: TimelessInput): void {
    // What a device did, for whoever follows it through the round.
    if ("device" in input) {
      const { device, type } = input;
      this.#trace.message(device, type);
      this.#options.services.env.log.debug("device in round", { device, did: type });
    }
    const now = this.#options.services.steadyNow();
    this.#trace.within(() => this.#machine.give({ ...input, now } as RoundInput));
  }

  /** Ends the round; one that is being committed ends with its commit. */
  async abandon(code: ErrorCode): Promise<void> {
    await this.#committing;
    this.give({ type: "abandon", code });
    await this.ended;
  }

  #stepped(before: RoundState, after: RoundState): void {
    const { services, seatsChanged } = this.#options;
    if (before.tally.open !== after.tally.open) services.countsChanged();
    if (seats(before) !== seats(after)) seatsChanged();
    if (after.phase !== before.phase) this.#phaseChanged();
    else this.#show();
  }

  /** What leaves the process waits until the inputs that it follows from are stored. */
  #perform(effect: RoundEffect): void {
    const { services } = this.#options;
    const { clock } = services.env;
    switch (effect.type) {
      case "send":
        if (effect.message.type === "offer") this.#options.offered(effect.device);
        services.env.log.debug("device in round", { device: effect.device, told: effect.message.type });
        this.#stored.afterwards(() => services.send(effect.device, effect.message));
        return;
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = clock.schedule(Math.max(0, effect.at - services.steadyNow()), () =>
          this.give({ type: "tick" }),
        );
        return;
      case "secure-open":
        void this.#open(effect);
        return;
      case "secure-step": {
        const message = this.secure!.ask(effect);
        this.#stored.afterwards(() => services.send(effect.device, message));
        return;
      }
      case "carry":
        this.#options.carry?.(effect.devices);
        return;
      case "accumulate":
        this.updates.accumulate(effect.device);
        return;
      case "aggregate":
        this.#timer?.cancel();
        this.#trace.entered("aggregating");
        this.#committing = this.#trace.within(() => this.#end.commit(effect.devices));
        return;
      case "ended":
        this.#timer?.cancel();
        return;
      default: {
        const never: never = effect;
        throw new TypeError(`rounds: no such effect ${String(never)}`);
      }
    }
  }

  async #open(effect: Extract<RoundEffect, { type: "secure-open" }>): Promise<void> {
    try {
      const digests = await this.secure!.open(effect);
      this.give({ type: "secure-opened", step: effect.step, digests });
    } catch (error) {
      if (!roundEnded(this.state)) this.#fail(error, "round/aggregation-failed");
    }
  }

  #expects(device: DeviceId, step: SecureStepName): boolean {
    const { phase } = this.state;
    return (
      phase === "securing" && this.state.cohort.step === step && this.state.cohort.outstanding.has(device)
    );
  }

  #accept(device: DeviceId, claim: UpdateClaim): boolean {
    const before = this.state.counts.reported;
    this.give({ type: "report-accepted", device, digest: claim.updateDigest });
    return this.state.counts.reported > before;
  }

  #refuse(device: DeviceId, error: TributaryError, final: boolean): void {
    this.#options.services.env.log.warn("update refused", { device, final, error });
    this.#stored.refusal(device, error, final && isItsFault(error) ? this.config.task : null);
    if (final) this.give({ type: "report-refused", device, code: error.code });
  }

  #fail(error: unknown, fallback: ErrorCode): void {
    const coded = toFailure(storageFailure(error), fallback);
    this.#options.services.env.log.error("round failed", { error });
    this.give({ type: "abandon", code: coded.code });
  }

  #phaseChanged(): void {
    this.#showTimer?.cancel();
    this.#showTimer = undefined;
    const { phase } = this.state;
    this.#options.services.env.log.debug("round in phase", { phase });
    this.#trace.entered(phase);
    if (phase === "training") this.#account.trainingBegan();
    if (roundEnded(this.state)) return this.#finish();
    this.#stored.update(this.record());
  }

  #finish(): void {
    this.#options.over();
    const over = roundOver(this.config.roundId);
    const closed = this.updates.close(over);
    this.secure?.close(over);
    const record = this.record();
    // The last row of a version or of a buffered sum is part of its transaction already.
    const stored = record.phase !== "abandoned" ? this.#stored.idle() : this.#end.abandoned(record);
    Promise.all([stored, closed])
      .catch((error: unknown) => this.#options.services.env.log.error("round could not be stored", { error }))
      .finally(() => {
        this.#trace.ended(record);
        this.#resolveEnded(record);
      });
  }

  /** Counts change by the device; who asks and who watches learns of them a few times a second. */
  #show(): void {
    if (roundEnded(this.state)) return;
    this.#showTimer ??= this.#options.services.env.clock.schedule(SHOW_MS, () => {
      this.#showTimer = undefined;
      this.#stored.show(() => {
        const unmasking = this.secure !== undefined && this.secure.unmasked < 1;
        const hidden = this.#committing !== undefined && !unmasking;
        return hidden || roundEnded(this.state) ? undefined : this.record();
      });
    });
  }
}

function traceOf({ services, config, model, base }: RoundRunOptions): RoundTrace {
  return new RoundTrace({
    tracer: services.tracer ?? trace.getTracer(TRACER_NAME),
    config,
    model: model.name,
    baseVersion: base.version,
    connectionOf: (device) => services.connectionOf?.(device),
  });
}

/** Every line that is written for the round says which one it is. */
function withRoundsLog(options: RoundRunOptions, fields: LogFields): RoundRunOptions {
  const { services, config } = options;
  const { roundId, task } = config;
  const log = services.env.log.child({ roundId, task, ...fields });
  return { ...options, services: { ...services, env: { ...services.env, log } } };
}

function seats({ tally: { open, candidates } }: RoundState): number {
  return open + candidates;
}
