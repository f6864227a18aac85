import {
  asRoundId,
  encodeUtf8,
  failure,
  sha256,
  type DeviceId,
  type ErrorCode,
  type RoundId,
} from "@tributary/core";
import { createCheckInQueue, type CheckIn, type RoundConfig } from "@tributary/federation";
import { isHeldOut, refusalOf } from "@tributary/protocol";
import type { RoundRecord, TaskRecord } from "../ports/records.ts";
import type { ConnectedDevice } from "../gateway/gateway-types.ts";
import { weightsPath } from "../releases/target-paths.ts";
import { strategyOf } from "../registry/task-strategy.ts";
import { taskEvent } from "../registry/views.ts";
import { publishEvents } from "./commit-round.ts";
import { measurementConfig, nextMeasurement } from "./measurement/measurement-round.ts";
import { readRoundPlan } from "./round-plan.ts";
import { RoundRun } from "./round-run.ts";
import type { RoundServices, Workers } from "./round-services.ts";
import { Seating } from "./secure/seating.ts";

/** A member that lost its connection is waited for this long, at most a quarter of the reporting time. */
const RECONNECT_GRACE_MS = 5_000;
/** After rounds that failed, the next one begins ever later, up to this. */
const MAX_PAUSE_MS = 30_000;
/** What a device hears of a task that has no rounds at present. */
const RESTING_RETRY_MS = 30_000;
/** An operator may release it meanwhile. */
const QUARANTINED_RETRY_MS = 600_000;
/** Abandoned for reasons that do not say anything about the next round. */
const HARMLESS: ReadonlySet<string> = new Set([
  "round/task-paused",
  "round/base-replaced",
  // The next cohort is another one, and devices limit by themselves how often they give.
  "round/secure-sum-refused",
]);
/** A task that has nothing to measure looks again so often. */
const LOOK_AGAIN_MS = 2_000;

export interface TaskDriverOptions {
  readonly services: RoundServices & Workers;
  readonly task: TaskRecord;
  readonly uploadFolder: string;
}

/** The rounds of one task, one after the other, while it is running. */
export class TaskDriver {
  readonly #options: TaskDriverOptions;
  readonly #queue = createCheckInQueue();
  readonly #loop: Promise<void>;
  #task: TaskRecord;
  #run: RoundRun | undefined;
  #stopped = false;
  #wake: (() => void) | undefined;
  /** Something changed since it was last looked whether a round is due. */
  #stale = false;
  /** Newest version of the model that was announced. */
  #newest = 0;
  #failures = 0;
  /** Who may be in the round under way. */
  #seating = Seating.open;
  #filling = false;

  constructor(options: TaskDriverOptions) {
    this.#options = options;
    this.#task = options.task;
    this.#loop = this.#rounds();
  }

  get run(): RoundRun | undefined {
    return this.#run;
  }

  get task(): TaskRecord {
    return this.#task;
  }

  checkIn({ device, population }: ConnectedDevice, examples: number): void {
    const { name } = this.#task;
    if (population !== this.#task.population) {
      throw failure(
        "identity/wrong-population",
        `rounds: task "${name}" is for population ${this.#task.population}`,
        {
          detail: { task: name },
        },
      );
    }
    if (this.#seating.seatOf(device) === "quarantined") return this.#refuseQuarantined(device);
    this.#queue.checkIn(device, examples);
    if (this.#run === undefined) this.#sendWait(device, this.#restMs());
    else this.#seat(this.#run, { device, examples });
  }

  leave(device: DeviceId): void {
    this.#queue.remove(device);
    this.#run?.give({ type: "leave", device });
  }

  disconnected(device: DeviceId): void {
    this.#queue.remove(device);
    this.#run?.give({ type: "disconnect", device });
  }

  /** The task's row or its model changed: looks again. */
  async changed(): Promise<void> {
    const { store } = this.#options.services;
    this.#stale = true;
    const task = await store.tasks.get(this.#task.name);
    if (task !== undefined) this.#task = task;
    await this.#seating.refresh(store, this.#task.name);
    if (this.#task.state !== "running") await this.#interrupt("round/task-paused");
    this.#wake?.();
  }

  /** Another version of the model was published: a round on the old one could not be committed. */
  async baseReplaced(version: number): Promise<void> {
    this.#newest = Math.max(this.#newest, version);
    const run = this.#run;
    if (run === undefined || !isOutdated(run.config, version) || run.state.phase === "aggregating") return;
    await this.#interrupt("round/base-replaced");
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#interrupt("round/interrupted");
    await this.#loop;
  }

  async #interrupt(code: ErrorCode): Promise<void> {
    const run = this.#run;
    if (run !== undefined) await run.abandon(code);
  }

  async #rounds(): Promise<void> {
    const { log } = this.#options.services.env;
    while (!this.#stopped) {
      try {
        if (await this.#mayRun()) {
          const record = await this.#round();
          if (record === undefined) continue;
          const harmless =
            record.phase === "committed" || record.purpose === "gate" || HARMLESS.has(record.reason ?? "");
          this.#failures = harmless ? 0 : this.#failures + 1;
        } else {
          await this.#woken();
          continue;
        }
      } catch (error) {
        this.#failures += 1;
        log.error("round could not be run", { task: this.#task.name, error });
      }
      await this.#pause(this.#pauseMs());
    }
  }

  /** Whether another round is due; a task that has had all its rounds is finished. */
  async #mayRun(): Promise<boolean> {
    const { services } = this.#options;
    const { store, env } = services;
    this.#stale = false;
    // In one transaction, so that what an operator changes meanwhile is not overwritten.
    const { task, finished } = await store.transaction(async (tx) => {
      const now = await tx.tasks.get(this.#task.name);
      if (now?.state !== "running" || now.spec.rounds === null) return { task: now };
      const roundsCommitted = await tx.rounds.countCommitted(now.name);
      if (roundsCommitted < now.spec.rounds) return { task: now };
      // The last version gets its verdict too.
      if (now.gate !== null && now.gate.candidate !== null) return { task: now };
      const done = { ...now, state: "finished" } as const;
      await tx.tasks.setState(now.name, done.state);
      const currentVersion = (await tx.models.get(now.model))?.currentVersion;
      const [round = null] = await tx.rounds.list(now.name, { limit: 1 });
      if (currentVersion === undefined) return { task: done, finished: [] };
      const event = taskEvent(done, { currentVersion, round, roundsCommitted });
      return { task: done, finished: await tx.events.append([event], env.clock.now()) };
    });
    if (task === undefined) return false;
    this.#task = task;
    if (finished !== undefined) {
      env.log.info("task finished", { task: task.name, rounds: task.spec.rounds });
      await publishEvents(services, finished);
    }
    return task.state === "running";
  }

  async #round(): Promise<RoundRecord | undefined> {
    const { services, uploadFolder } = this.#options;
    const { store } = services;
    const task = this.#task;
    const measurement = await nextMeasurement(services, task);
    if (measurement === "idle") {
      await this.#pause(LOOK_AGAIN_MS);
      return undefined;
    }
    const plan = measurement ?? (await readRoundPlan(services, task));
    const model = await store.models.get(task.model);
    const base =
      measurement?.current ?? (model && (await store.versions.get(model.name, model.currentVersion)));
    const timestamp = await store.releases.latest("timestamp");
    if (model === undefined || base === undefined || timestamp === undefined) {
      throw failure(
        "store/corrupt",
        `rounds: task "${task.name}" has no model, version or release to start from`,
      );
    }
    const round = (await store.rounds.lastNumber(task.name)) + 1;
    const { goalCount, minimumCount, overSelection, trainDeadlineMs, reportDeadlineMs } = task.spec.cohort;
    const stepDeadlineMs = task.spec.secureAggregation.phaseDeadlineMs;
    const waitedForMs = plan.secure === null ? reportDeadlineMs : stepDeadlineMs;
    const config: RoundConfig = {
      task: task.name,
      roundId: roundIdOf(task, round),
      round,
      baseVersion: base.version,
      plan: { target: task.plan.target, digest: task.plan.digest },
      weights: { target: weightsPath(model.name, base.version), digest: base.weights.digest },
      goalCount,
      // A secure sum's floor is in the plan, where devices read it.
      minimumCount: Math.max(minimumCount, plan.secure?.plan.minimumCohort ?? 0),
      offerLimit: Math.ceil(goalCount * overSelection),
      trainDeadlineMs,
      reportDeadlineMs,
      reconnectGraceMs: Math.min(RECONNECT_GRACE_MS, Math.ceil(waitedForMs / 4)),
      timestampVersion: timestamp.version,
      secure: plan.secure === null ? null : { stepDeadlineMs },
      ...(measurement === undefined ? {} : measurementConfig(task, measurement)),
    };
    if (this.#stopped) return undefined;
    this.#seating =
      plan.secure === null ? Seating.open : await Seating.next(store, task.name, services.env.random);
    const run = await RoundRun.begin({
      services,
      config,
      ...("purpose" in plan
        ? { measurement: plan }
        : { plan, strategy: strategyOf(services.strategies, task.spec) }),
      task,
      model,
      base,
      uploadFolder,
      offered: (device) => this.#queue.offered(device),
      seatsChanged: () => this.#fillSeats(),
    });
    this.#run = run;
    // Whatever happened while the round was being set up found no round to interrupt.
    if (this.#stopped) run.give({ type: "abandon", code: "round/interrupted" });
    else if (this.#task.state !== "running") run.give({ type: "abandon", code: "round/task-paused" });
    else if (isOutdated(config, this.#newest)) run.give({ type: "abandon", code: "round/base-replaced" });
    for (const waiting of this.#queue.inOrder()) {
      if (this.#seating.seatOf(waiting.device) !== "quarantined") this.#seat(run, waiting);
      else {
        this.#queue.remove(waiting.device);
        this.#refuseQuarantined(waiting.device);
      }
    }
    const waiting = this.#boundSelection(run);
    const record = await run.ended;
    waiting?.cancel();
    this.#run = undefined;
    services.countsChanged();
    return record;
  }

  /** Training does not wait for held-out devices longer than they may take: too few of them decide nothing. */
  #boundSelection(run: RoundRun): { cancel(): void } | undefined {
    const { measurement, trainDeadlineMs } = run.config;
    if (measurement?.purpose !== "gate") return undefined;
    return this.#options.services.env.clock.schedule(trainDeadlineMs, () => {
      if (run.state.phase === "selecting") run.give({ type: "abandon", code: "round/too-few-ready" });
    });
  }

  /** With a gate, held-out devices measure and the others train. */
  #fits({ config }: RoundRun, device: DeviceId): boolean {
    const { gate } = this.#task.spec;
    if (gate === null) return true;
    return isHeldOut(device, this.#task.name, gate.heldOutShare) === (config.measurement?.purpose === "gate");
  }

  #pauseMs(): number {
    if (this.#failures > 0) return Math.min(MAX_PAUSE_MS, 250 * 2 ** this.#failures);
    return this.#task.spec.pauseBetweenRoundsMs;
  }

  #sendWait(device: DeviceId, retryAfterMs: number): void {
    this.#options.services.send(device, { type: "wait", task: this.#task.name, retryAfterMs });
  }

  #refuseQuarantined(device: DeviceId): void {
    const { name } = this.#task;
    const error = failure("federation/quarantined", `rounds: ${device} is quarantined in task "${name}"`, {
      detail: { task: name },
    });
    this.#options.services.send(device, refusalOf(error, { retryAfterMs: QUARANTINED_RETRY_MS }));
  }

  /** Gives a device to the round, or has it wait for another one. */
  #seat(run: RoundRun, { device, examples }: CheckIn): void {
    if (this.#seating.seatOf(device) === "free" && this.#fits(run, device))
      run.give({ type: "check-in", device, examples });
    else this.#sendWait(device, RESTING_RETRY_MS);
    this.#fillSeats();
  }

  /** Suspected devices, the least suspected first, where all others are too few for a cohort. */
  #fillSeats(): void {
    if (this.#filling) return;
    this.#filling = true;
    // After the step that made room, which is still being carried out.
    queueMicrotask(() => {
      this.#filling = false;
      const run = this.#run;
      if (run === undefined || (run.state.phase !== "selecting" && run.state.phase !== "training")) return;
      const { tally } = run.state;
      const missing = run.config.minimumCount - tally.open - tally.candidates;
      const held = this.#queue
        .inOrder()
        .filter(({ device }) => this.#seating.seatOf(device) === "held" && this.#fits(run, device));
      if (missing <= 0 || held.length < missing) return;
      for (const { device, examples } of this.#seating.inOrder(held).slice(0, missing)) {
        this.#seating.admit(device);
        run.give({ type: "check-in", device, examples });
      }
    });
  }

  #restMs(): number {
    return this.#task.state === "running" ? Math.max(1_000, this.#pauseMs()) : RESTING_RETRY_MS;
  }

  /** Until something changes, or the time is over. */
  async #pause(durationMs: number): Promise<void> {
    if (durationMs === 0 || this.#stopped) return;
    const { clock } = this.#options.services.env;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = clock.schedule(durationMs, resolve);
    this.#wake = resolve;
    await promise;
    timer.cancel();
    this.#wake = undefined;
  }

  /** Until something changes; at once when it did while nobody was waiting. */
  async #woken(): Promise<void> {
    if (this.#stopped || this.#stale) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    await promise;
    this.#wake = undefined;
  }
}

/** Whether a round's result would be of no use with this version published: what only measures keeps its use. */
function isOutdated({ baseVersion, measurement }: RoundConfig, version: number): boolean {
  if (measurement === undefined) return version > baseVersion;
  return measurement.purpose === "gate" && version > (measurement.candidate?.version ?? baseVersion);
}

/** `<task>-<number>`; a name too long for that gives way to its digest. */
function roundIdOf({ name }: Pick<TaskRecord, "name">, round: number): RoundId {
  const suffix = `-${round}`;
  const prefix = name.length + suffix.length <= 64 ? name : sha256(encodeUtf8(name)).slice(0, 32);
  return asRoundId(`${prefix}${suffix}`);
}
