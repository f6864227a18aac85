import { join } from "node:path";
import {
  failure,
  toFailure,
  type DeviceId,
  type Digest,
  type ErrorCode,
  type PopulationName,
  type TributaryError,
} from "@tributary/core";
import {
  initialRound,
  invitationOf,
  roundEnded,
  stepRound,
  type Invitation,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
  type UpdateClaim,
} from "@tributary/federation";
import { updateRules } from "@tributary/federation/aggregation";
import type { SecureReady, SecureStepName } from "@tributary/protocol";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { NewEvent, RoundRecord } from "../ports/records.ts";
import type { EvaluationResult } from "@tributary/engine/evaluation";
import { storageFailure } from "../durable-files.ts";
import { MetricUpdates } from "./measurement/metric-updates.ts";
import { ReportedFiles } from "./reported-files.ts";
import { trainRootUpdate } from "./root-update.ts";
import type { FinalEntries } from "./round-journal.ts";
import { storeAbandoned, storeOutcome, type LastRow, type OutcomeInput } from "./round-outcome.ts";
import { roundRecord } from "./round-record.ts";
import type { PastRound, RoundRunOptions, TimelessInput } from "./round-run-options.ts";
import type { RoundServices } from "./round-services.ts";
import { roundOver, RoundStore } from "./round-store.ts";
import { RoundUpdates } from "./round-updates.ts";
import { SecureSession } from "./secure/secure-session.ts";
import { isItsFault, recordVerdict } from "./secure/suspicions.ts";

/** A point in time: for people, and for durations. */
interface Moment {
  readonly at: number;
  readonly steadyAt: number;
}

/** How often a round's counts are shown while a phase goes on. */
const SHOW_MS = 200;

/** One round under way: its machine, and what the machine's effects are carried out with. */
export class RoundRun {
  readonly config: RoundConfig;
  readonly updates: RoundUpdates | MetricUpdates;
  /** In secure rounds, instead of the updates. */
  readonly secure: SecureSession | undefined;
  /** The final row, when the round is over and stored. */
  readonly ended: Promise<RoundRecord>;
  readonly #options: RoundRunOptions;
  readonly #stored: RoundStore;
  readonly #started: Moment;
  readonly #resolveEnded: (record: RoundRecord) => void;
  #state: RoundState;
  /** First offer, in steady time. */
  #trainedSince: number | null = null;
  #bytesDown = 0;
  #evaluation: Pick<EvaluationResult, "loss" | "accuracy"> | undefined;
  /** Of a round of measurements, once its sums are known. */
  #measuredExamples: number | undefined;
  /** The last entries of the journal, on their way into the store with what the round made. */
  #final: FinalEntries | undefined;
  #timer: { cancel(): void } | undefined;
  #showTimer: { cancel(): void } | undefined;
  /** Inputs that came while the version was being stored; they follow it. */
  #held: RoundInput[] | undefined;
  #committing: Promise<void> | undefined;
  /** Whose secure sum it was, once there is one. */
  #contributors: readonly DeviceId[] = [];

  private constructor(options: RoundRunOptions, past?: PastRound) {
    const { config, services } = options;
    this.#options = options;
    this.config = config;
    this.#state = past?.state ?? initialRound(config);
    this.#stored = new RoundStore(
      services,
      config.roundId,
      (error) => this.#fail(error, "store/unavailable"),
      past?.inputs,
    );
    const startedAt = past?.record.startedAt;
    this.#started = startedAt === undefined ? momentOf(services) : { at: startedAt, steadyAt: startedAt };
    this.#trainedSince = past?.trainingAt ?? null;
    this.#bytesDown = past?.record.bytesDown ?? 0;
    const { promise, resolve } = Promise.withResolvers<RoundRecord>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    const receiver = {
      invitationOf: (device: DeviceId) => this.invitationOf(device),
      accept: (device: DeviceId, claim: UpdateClaim) => this.#accept(device, claim),
      written: () => this.#stored.written(),
      refuse: (device: DeviceId, error: TributaryError, final: boolean) => this.#refuse(device, error, final),
    };
    this.updates =
      options.measurement === undefined
        ? new RoundUpdates({
            rules: updateRules(options.plan, config.roundId),
            // A cohort of a buffer is averaged; what the strategy compares is the means of cohorts.
            aggregation: config.buffered === true ? { kind: "mean" } : options.strategy.strategy.aggregation,
            files: new ReportedFiles(join(options.uploadFolder, config.roundId)),
            rootUpdate: () => {
              const { roundId, round, trainingRound = round } = config;
              return trainRootUpdate(services, { ...options, roundId, trainingRound });
            },
            ...receiver,
            failed: (error) => this.#fail(error, "round/aggregation-failed"),
          })
        : new MetricUpdates({ config, plan: options.measurement.plan, ...receiver });
    const { secure } = options.measurement ?? options.plan;
    if (secure !== null) {
      this.secure = new SecureSession({
        config,
        plan: secure,
        env: services.env,
        steadyNow: services.steadyNow,
        folder: options.uploadFolder,
        unmasker: services.unmasker,
        certificateLog: services.certificateLog,
        expects: (device, step) => this.#expects(device, step),
        answered: (device, step) => this.give({ type: "secure-answered", device, step }),
        written: () => this.#stored.written(),
        progressed: () => this.#show(),
      });
    }
  }

  /** Stores the round's row, so that its number is taken, and lets it begin. */
  static async begin(options: RoundRunOptions): Promise<RoundRun> {
    const run = new RoundRun(options);
    await run.#stored.insert(run.record());
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
    if (run.updates instanceof RoundUpdates) await run.updates.restore(past.reported);
    run.give({ type: "resumed" });
    if (past.inputs === 0) run.give({ type: "start" });
    run.#stored.update(run.record());
    return run;
  }

  get state(): RoundState {
    return this.#state;
  }

  /** Devices with an open offer. */
  get training(): number {
    return this.#state.phase === "training" ? this.#state.tally.open : 0;
  }

  record(): RoundRecord {
    const { config } = this;
    const { numExamples, metrics, bytesUp } = this.secure ?? this.updates;
    const now = momentOf(this.#options.services);
    const ended = roundEnded(this.#state);
    return roundRecord(config, this.#state, {
      model: this.#options.model.name,
      startedAt: this.#started.at,
      endedAt: ended ? now.at : null,
      seconds: ended ? (now.steadyAt - (this.#trainedSince ?? this.#started.steadyAt)) / 1000 : null,
      clockAheadMs: now.at - now.steadyAt,
      numExamples: this.#measuredExamples ?? numExamples,
      metrics,
      knowsHits: this.#options.plan?.plan.training.spec.noHits !== true,
      bytesUp,
      bytesDown: this.#bytesDown,
      loss: this.#evaluation?.loss ?? null,
      accuracy: this.#evaluation?.accuracy ?? null,
      unmasked: this.secure?.unmasked ?? 0,
    });
  }

  invitationOf(device: DeviceId): Invitation {
    return invitationOf(this.#state, device);
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
    const stage = this.#state.participants.get(device)?.stage;
    // Who has no offer is refused by the machine, and nothing is kept of it.
    if (stage === "offered" || stage === "ready") {
      await this.secure?.admit(device, { certificate, commitment });
    }
    this.give({ type: "secure-ready", device, commitment });
  }

  /** Whether a blob is what devices get for this round. */
  uses(digest: Digest): boolean {
    return this.#downloads.includes(digest);
  }

  /** Bytes of what it uses were sent to a device. */
  served(sizeBytes: number): void {
    this.#bytesDown += sizeBytes;
  }

  /** What devices get for this round. */
  get #downloads(): readonly Digest[] {
    const { measurement, plan, base, config } = this.#options;
    const { candidate, graph = null } = measurement ?? { candidate: null };
    return [
      base.weights.digest,
      config.plan.digest,
      ...(plan?.trainingGraphs ?? []),
      ...(candidate === null ? [] : [candidate.weights.digest]),
      ...(graph === null ? [] : [graph]),
    ];
  }

  give(input: TimelessInput): void {
    const stamped = { ...input, now: this.#options.services.steadyNow() } as RoundInput;
    if (this.#held === undefined) this.#step(stamped);
    else this.#held.push(stamped);
  }

  /** Ends the round; one that is being committed ends with its commit. */
  async abandon(code: ErrorCode): Promise<void> {
    await this.#committing;
    this.give({ type: "abandon", code });
    await this.ended;
  }

  #step(input: RoundInput, options: { readonly journal?: boolean } = {}): void {
    const before = this.#state;
    const { state, effects } = stepRound(this.config, before, input);
    if (state === before && effects.length === 0) return;
    this.#state = state;
    // Answers that change nothing need no replay, and what comes after the end changes no round.
    if (options.journal !== false && state !== before && !roundEnded(before)) this.#stored.note(input);
    for (const effect of effects) this.#perform(effect);
    if (before.tally.open !== state.tally.open) this.#options.services.countsChanged();
    if (seats(before) !== seats(state)) this.#options.seatsChanged();
    if (state.phase !== before.phase) this.#phaseChanged();
    else this.#show();
  }

  /** What leaves the process waits until the inputs that it follows from are stored. */
  #perform(effect: RoundEffect): void {
    const { services } = this.#options;
    const { clock } = services.env;
    switch (effect.type) {
      case "send":
        if (effect.message.type === "offer") this.#options.offered(effect.device);
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
        this.#contributors = effect.devices;
        this.#committing = this.#commit();
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
      if (!roundEnded(this.#state)) this.#fail(error, "round/aggregation-failed");
    }
  }

  #expects(device: DeviceId, step: SecureStepName): boolean {
    const { phase } = this.#state;
    return (
      phase === "securing" && this.#state.cohort.step === step && this.#state.cohort.outstanding.has(device)
    );
  }

  #accept(device: DeviceId, claim: UpdateClaim): boolean {
    const before = this.#state.counts.reported;
    this.give({ type: "report-accepted", device, digest: claim.updateDigest });
    return this.#state.counts.reported > before;
  }

  #refuse(device: DeviceId, error: TributaryError, final: boolean): void {
    const { roundId } = this.config;
    this.#options.services.env.log.warn("update refused", { device, roundId, final, error });
    this.#stored.refusal(device, error, final && isItsFault(error) ? this.config.task : null);
    if (final) this.give({ type: "report-refused", device, code: error.code });
  }

  async #commit(): Promise<void> {
    try {
      const last = await storeOutcome(this.#options, {
        updates: this.updates,
        secure: this.secure,
        reported: () => this.#state.counts.reported,
        ended: () => roundEnded(this.#state),
        measured: (examples) => (this.#measuredExamples = examples),
        aggregated: (result) => this.#aggregated(result),
        lastRow: (input) => this.#lastRow(input),
        verdict: (tx) => this.#verdict(tx, true),
      });
      if (last === undefined) return;
      this.#final?.settle(true);
      this.#step(last, { journal: false });
      this.#release();
    } catch (error) {
      this.#final?.settle(false);
      this.#release();
      this.#fail(error, "round/aggregation-failed");
    }
  }

  /** The sum is known and what it makes is measured; the transaction begins. */
  async #aggregated(result: Pick<EvaluationResult, "loss" | "accuracy"> | undefined): Promise<void> {
    this.#evaluation = result;
    if (!roundEnded(this.#state)) this.give({ type: "aggregated" });
    // Rows of earlier phases must not come after the last one.
    await this.#stored.idle();
  }

  /** The row and the rest of the journal as they will be after the input; until then inputs are held. */
  #lastRow(input: OutcomeInput): LastRow {
    if (roundEnded(this.#state))
      throw failure("round/aggregation-failed", "rounds: abandoned before its commit");
    this.#held = [];
    const final = this.#stored.final(input);
    this.#final = final;
    const preview = stepRound(this.config, this.#state, input).state;
    const { state } = this;
    this.#state = preview;
    const round = this.record();
    this.#state = state;
    return { round, journal: final.entries };
  }

  /** Lets the held inputs follow. */
  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const input of held) this.#step(input);
  }

  #fail(error: unknown, fallback: ErrorCode): void {
    const coded = toFailure(storageFailure(error), fallback);
    const { roundId } = this.config;
    this.#options.services.env.log.error("round failed", { roundId, error });
    this.give({ type: "abandon", code: coded.code });
  }

  #phaseChanged(): void {
    this.#showTimer?.cancel();
    this.#showTimer = undefined;
    const { phase } = this.#state;
    if (phase === "training") this.#trainedSince = this.#options.services.steadyNow();
    if (roundEnded(this.#state)) return this.#finish();
    this.#stored.update(this.record());
  }

  #finish(): void {
    this.#options.over();
    const over = roundOver(this.config.roundId);
    const closed = this.updates.close(over);
    this.secure?.close(over);
    const record = this.record();
    // The last row of a version or of a buffered sum is part of its transaction already.
    const stored =
      record.phase !== "abandoned"
        ? this.#stored.idle()
        : this.#stored.abandoned(record, this.#options.task, (tx) => this.#abandoned(tx, record));
    Promise.all([stored, closed])
      .catch((error: unknown) =>
        this.#options.services.env.log.error("round could not be stored", { roundId: record.id, error }),
      )
      .finally(() => this.#resolveEnded(record));
  }

  /** What is stored with the end of a round that made nothing. */
  async #abandoned(tx: MetadataRepositories, record: RoundRecord): Promise<readonly NewEvent[]> {
    await storeAbandoned(tx, this.#options, record);
    return record.reason === "round/secure-sum-refused" ? this.#verdict(tx, false) : [];
  }

  /** What the sum says of the members of a secure cohort. */
  async #verdict(tx: MetadataRepositories, held: boolean): Promise<readonly NewEvent[]> {
    const { env } = this.#options.services;
    const { task, roundId } = this.config;
    const contributors = this.#contributors;
    const events = await recordVerdict(tx, { task, roundId, at: env.clock.now(), held, contributors });
    for (const { data } of events) env.log.warn("device quarantined", { roundId, suspicion: data });
    return events;
  }

  /** Counts change by the device; who asks and who watches learns of them a few times a second. */
  #show(): void {
    if (roundEnded(this.#state)) return;
    this.#showTimer ??= this.#options.services.env.clock.schedule(SHOW_MS, () => {
      this.#showTimer = undefined;
      this.#stored.show(() => {
        const unmasking = this.secure !== undefined && this.secure.unmasked < 1;
        const hidden = this.#committing !== undefined && !unmasking;
        return hidden || roundEnded(this.#state) ? undefined : this.record();
      });
    });
  }
}

function momentOf({ env, steadyNow }: RoundServices): Moment {
  return { at: env.clock.now(), steadyAt: steadyNow() };
}

function seats({ tally: { open, candidates } }: RoundState): number {
  return open + candidates;
}
