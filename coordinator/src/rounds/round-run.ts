import {
  failure,
  toFailure,
  type DeviceId,
  type Digest,
  type ErrorCode,
  type ModelVersion,
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
import type { ChosenStrategy } from "@tributary/aggregation";
import type { SecureReady, SecureStepName } from "@tributary/protocol";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type {
  JournalEntry,
  ModelRecord,
  NewEvent,
  RoundRecord,
  TaskRecord,
  VersionRecord,
} from "../ports/records.ts";
import { roundEvent, roundView } from "../registry/views.ts";
import type { JsonValue } from "../ports/records.ts";
import { abandonedEvents, commitRound, publishEvents } from "./commit-round.ts";
import type { EvaluationResult } from "./evaluation.ts";
import { commitMeasurement, storeUndecided } from "./measurement/commit-measurement.ts";
import { measuredOf } from "./measurement/measured-sums.ts";
import type { MeasurementRound } from "./measurement/measurement-round.ts";
import { MetricUpdates } from "./measurement/metric-updates.ts";
import { RoundJournal } from "./round-journal.ts";
import { updateRules, type RoundPlan } from "./round-plan.ts";
import { roundRecord } from "./round-record.ts";
import type { RoundServices, Workers } from "./round-services.ts";
import { RoundUpdates } from "./round-updates.ts";
import { SecureSession } from "./secure/secure-session.ts";
import { recordVerdict } from "./secure/suspicions.ts";
import { SerialQueue } from "./serial-queue.ts";

/** An input without its time: the driver's clock adds it. */
export type TimelessInput = RoundInput extends infer Input
  ? Input extends RoundInput
    ? Omit<Input, "now">
    : never
  : never;

/** Inputs held in memory at most; a round may wait for its devices for days while they come and go. */
const MAX_UNWRITTEN = 512;
/** A gate's round that ended so is run again, when the task goes on. */
const REPEATED: ReadonlySet<string> = new Set([
  "round/task-paused",
  "round/interrupted",
  "round/base-replaced",
]);
/** How often a round's counts are shown while a phase goes on. */
const SHOW_MS = 200;

export type RoundRunOptions = RoundRunCommon & (TrainingWork | MeasurementWork);

/** Devices train, and the round makes a version. */
export interface TrainingWork {
  readonly plan: RoundPlan;
  readonly strategy: ChosenStrategy;
  readonly measurement?: undefined;
}

/** Devices measure versions that are there. */
export interface MeasurementWork {
  readonly measurement: MeasurementRound;
  readonly plan?: undefined;
  readonly strategy?: undefined;
}

interface RoundRunCommon {
  readonly services: RoundServices & Workers;
  readonly config: RoundConfig;
  readonly task: TaskRecord;
  readonly model: ModelRecord;
  readonly base: VersionRecord;
  readonly uploadFolder: string;
  /** A device got an offer. */
  readonly offered: (device: DeviceId) => void;
  /** The number of devices with an offer, or waiting for one, changed. */
  readonly seatsChanged: () => void;
}

/** One round under way: its machine, the clock, the journal, the row, the sum. */
export class RoundRun {
  readonly config: RoundConfig;
  readonly updates: RoundUpdates | MetricUpdates;
  /** In secure rounds, instead of the updates. */
  readonly secure: SecureSession | undefined;
  /** The final row, when the round is over and stored. */
  readonly ended: Promise<RoundRecord>;
  readonly #options: RoundRunOptions;
  readonly #journal: RoundJournal;
  readonly #writes = new SerialQueue();
  readonly #startedAt: number;
  readonly #resolveEnded: (record: RoundRecord) => void;
  #state: RoundState;
  #trainingAt: number | null = null;
  #bytesDown = 0;
  #evaluation: Pick<EvaluationResult, "loss" | "accuracy"> | undefined;
  /** Of a round of measurements, once its sums are known. */
  #measuredExamples: number | undefined;
  #timer: { cancel(): void } | undefined;
  #showTimer: { cancel(): void } | undefined;
  /** Inputs that came while the version was being stored; they follow it. */
  #held: RoundInput[] | undefined;
  #committing: Promise<void> | undefined;
  /** Whose secure sum it was, once there is one. */
  #contributors: readonly DeviceId[] = [];

  private constructor(options: RoundRunOptions) {
    const { config, services } = options;
    this.#options = options;
    this.config = config;
    this.#state = initialRound(config);
    this.#journal = new RoundJournal(config.roundId);
    this.#startedAt = services.env.clock.now();
    const { promise, resolve } = Promise.withResolvers<RoundRecord>();
    this.ended = promise;
    this.#resolveEnded = resolve;
    const receiver = {
      invitationOf: (device: DeviceId) => this.invitationOf(device),
      accept: (device: DeviceId, claim: UpdateClaim) => this.#accept(device, claim),
      refuse: (device: DeviceId, error: TributaryError, final: boolean) => this.#refuse(device, error, final),
    };
    this.updates =
      options.measurement === undefined
        ? new RoundUpdates({
            rules: updateRules(options.plan, config.roundId),
            aggregation: options.strategy.strategy.aggregation,
            folder: options.uploadFolder,
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
        folder: options.uploadFolder,
        unmasker: services.unmasker,
        certificateLog: services.certificateLog,
        expects: (device, step) => this.#expects(device, step),
        answered: (device, step) => this.give({ type: "secure-answered", device, step }),
        progressed: () => this.#show(),
      });
    }
  }

  /** Stores the round's row, so that its number is taken, and lets it begin. */
  static async begin(options: RoundRunOptions): Promise<RoundRun> {
    const run = new RoundRun(options);
    const { store, env } = options.services;
    const record = run.record();
    const events = await store.transaction(async (tx) => {
      await tx.rounds.insert(record);
      return tx.events.append([roundEvent(record)], env.clock.now());
    });
    await publishEvents(options.services, events);
    run.give({ type: "start" });
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
    const ended = roundEnded(this.#state);
    return roundRecord(config, this.#state, {
      model: this.#options.model.name,
      startedAt: this.#startedAt,
      trainingAt: this.#trainingAt,
      endedAt: ended ? this.#options.services.env.clock.now() : null,
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

  /** Bytes of this round's plan, graph or weights were sent to a device. */
  served(digest: Digest, sizeBytes: number): void {
    if (this.#downloads.includes(digest)) this.#bytesDown += sizeBytes;
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
    const stamped = { ...input, now: this.#options.services.env.clock.now() } as RoundInput;
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
    // Journal first: what a device hears follows from what is written down. Answers that change nothing need no replay.
    if (options.journal !== false && state !== before) this.#journal.add(input);
    for (const effect of effects) this.#perform(effect);
    if (before.tally.open !== state.tally.open) this.#options.services.countsChanged();
    if (seats(before) !== seats(state)) this.#options.seatsChanged();
    if (state.phase !== before.phase) this.#phaseChanged();
    else if (this.#journal.pending >= MAX_UNWRITTEN && state.phase !== "aggregating") this.#store();
    else this.#show();
  }

  #perform(effect: RoundEffect): void {
    const { clock } = this.#options.services.env;
    switch (effect.type) {
      case "send":
        if (effect.message.type === "offer") this.#options.offered(effect.device);
        this.#options.services.send(effect.device, effect.message);
        return;
      case "wake-at":
        this.#timer?.cancel();
        this.#timer = clock.schedule(Math.max(0, effect.at - clock.now()), () => this.give({ type: "tick" }));
        return;
      case "secure-open":
        void this.#open(effect);
        return;
      case "secure-step":
        this.#options.services.send(effect.device, this.secure!.ask(effect));
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
    const { env, store } = this.#options.services;
    const { roundId } = this.config;
    const { code, detail } = error;
    env.log.warn("update refused", { device, roundId, final, error });
    this.#writes
      .run(() => store.refusals.add({ deviceId: device, roundId, code, detail, at: env.clock.now() }))
      .catch((cause: unknown) =>
        env.log.error("refusal could not be noted", { device, roundId, error: cause }),
      );
    if (final) this.give({ type: "report-refused", device, code });
  }

  async #commit(): Promise<void> {
    try {
      const { measurement } = this.#options;
      const version =
        measurement === undefined
          ? await this.#commitVersion(this.#options)
          : await this.#commitMeasurement(measurement);
      if (version === undefined) return;
      const { services } = this.#options;
      services.env.log.info("round committed", { roundId: this.config.roundId, version });
      this.#step({ type: "committed", version, now: services.env.clock.now() }, { journal: false });
      this.#release();
    } catch (error) {
      this.#release();
      this.#fail(error, "round/aggregation-failed");
    }
  }

  /** Undefined where the round was abandoned before. */
  async #commitVersion(work: RoundRunCommon & TrainingWork): Promise<ModelVersion | undefined> {
    const { maxUpdateNorm, update } = work.plan.plan;
    const { maxStatisticChange } = update;
    const limits = { maxUpdateNorm, maxStatisticChange };
    const mean = await (this.secure?.mean(limits) ?? (this.updates as RoundUpdates).mean());
    if (roundEnded(this.#state)) return undefined;
    const { version } = await commitRound(work.services, {
      ...work,
      mean,
      evaluated: (result) => this.#aggregated(result),
      finalRow: (next) => this.#finalRow(next),
      alsoStored: (tx) => this.#verdict(tx, true),
    });
    return version;
  }

  /** Null: what was measured is stored, and there is no version. */
  async #commitMeasurement(measurement: MeasurementRound): Promise<null | undefined> {
    const { services, task } = this.#options;
    const { sums, devices } = (await this.secure?.metricSums()) ?? {
      sums: (this.updates as MetricUpdates).sums,
      devices: this.#state.counts.reported,
    };
    if (roundEnded(this.#state)) return undefined;
    const measured = measuredOf(measurement.plan, sums);
    this.#measuredExamples = measured?.examples ?? 0;
    await this.#aggregated(measured);
    await commitMeasurement(services, {
      config: this.config,
      task,
      measurement,
      sums,
      devices,
      finalRow: () => this.#finalRow(null),
      alsoStored: (tx) => this.#verdict(tx, true),
    });
    return null;
  }

  /** The sum is known and what it makes is measured; the transaction begins. */
  async #aggregated(result: Pick<EvaluationResult, "loss" | "accuracy"> | undefined): Promise<void> {
    this.#evaluation = result;
    if (!roundEnded(this.#state)) this.give({ type: "aggregated" });
    // Rows of earlier phases must not come after the last one.
    await this.#writes.idle();
  }

  #finalRow(version: ModelVersion | null): {
    readonly round: RoundRecord;
    readonly journal: readonly JournalEntry[];
  } {
    if (roundEnded(this.#state))
      throw failure("round/aggregation-failed", "rounds: abandoned before its commit");
    this.#held = [];
    const input: RoundInput = { type: "committed", version, now: this.#options.services.env.clock.now() };
    this.#journal.add(input);
    const preview = stepRound(this.config, this.#state, input).state;
    const { state } = this;
    this.#state = preview;
    const round = this.record();
    this.#state = state;
    return { round, journal: this.#journal.take() };
  }

  /** Lets the held inputs follow. */
  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const input of held) this.#step(input);
  }

  #fail(error: unknown, fallback: ErrorCode): void {
    const coded = toFailure(error, fallback);
    const { roundId } = this.config;
    this.#options.services.env.log.error("round failed", { roundId, error });
    this.give({ type: "abandon", code: coded.code });
  }

  #phaseChanged(): void {
    this.#showTimer?.cancel();
    this.#showTimer = undefined;
    const { phase } = this.#state;
    if (phase === "training") this.#trainingAt = this.#options.services.env.clock.now();
    if (phase === "committed" || phase === "abandoned") return this.#finish();
    this.#store();
  }

  /** Writes the row and the journal so far. A failure is not the round's end: its commit will tell. */
  #store(): void {
    const { services } = this.#options;
    const record = this.record();
    this.#writes
      .run(async () => {
        const at = services.env.clock.now();
        const journal = this.#journal.take();
        const events = await services.store.transaction(async (tx) => {
          await tx.rounds.update(record);
          await tx.journal.append(journal);
          return tx.events.append([roundEvent(record)], at);
        });
        await publishEvents(services, events);
      })
      .catch((error: unknown) =>
        services.env.log.error("round could not be stored", {
          roundId: record.id,
          phase: record.phase,
          error,
        }),
      );
  }

  #finish(): void {
    const over = failure("round/deadline-passed", `rounds: ${this.config.roundId} is over`);
    const closed = this.updates.close(over);
    this.secure?.close(over);
    const record = this.record();
    // A committed row is part of the version's transaction already.
    const stored =
      record.phase === "committed"
        ? this.#writes.idle()
        : this.#writes.run(() => this.#storeAbandoned(record));
    Promise.all([stored, closed])
      .catch((error: unknown) =>
        this.#options.services.env.log.error("round could not be stored", { roundId: record.id, error }),
      )
      .finally(() => this.#resolveEnded(record));
  }

  async #storeAbandoned(record: RoundRecord): Promise<void> {
    const { services, task } = this.#options;
    const at = services.env.clock.now();
    const journal = this.#journal.take();
    const events = await services.store.transaction(async (tx) => {
      await tx.rounds.update(record);
      await tx.journal.append(journal);
      const committed = await tx.rounds.countCommitted(task.name);
      // As it is now: whoever paused the task ended this round.
      const now = (await tx.tasks.get(task.name)) ?? task;
      const failed = record.reason === "round/secure-sum-refused";
      const verdict = failed ? await this.#verdict(tx, false) : [];
      if (record.purpose === "gate" && !REPEATED.has(record.reason ?? "")) {
        await storeUndecided(tx, task.spec, { task: task.name, roundId: record.id, at });
      }
      const currentVersion = (await tx.models.get(task.model))?.currentVersion ?? record.baseVersion;
      const progress = { currentVersion, roundsCommitted: committed };
      return tx.events.append([...abandonedEvents(now, record, progress), ...verdict], at);
    });
    services.env.log.warn("round abandoned", { roundId: record.id, reason: record.reason });
    await publishEvents(services, events);
  }

  /** What the sum says of the members of a secure cohort. */
  async #verdict(tx: MetadataRepositories, held: boolean): Promise<readonly NewEvent[]> {
    if (this.secure === undefined) return [];
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
    const { bus, env, store } = this.#options.services;
    this.#showTimer ??= env.clock.schedule(SHOW_MS, () => {
      this.#showTimer = undefined;
      this.#writes
        .run(async () => {
          const unmasking = this.secure !== undefined && this.secure.unmasked < 1;
          if ((this.#committing !== undefined && !unmasking) || roundEnded(this.#state)) return;
          const record = this.record();
          await store.rounds.update(record);
          const data = roundView(record) as unknown as JsonValue;
          await bus.publish("event", { id: null, type: "round", data, at: env.clock.now() });
        })
        .catch((error: unknown) => env.log.error("round could not be shown", { error }));
    });
  }
}

function seats({ tally: { open, candidates } }: RoundState): number {
  return open + candidates;
}
