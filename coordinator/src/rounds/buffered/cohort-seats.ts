import { encodeHex, seededRandom, type DeviceId } from "@tributary/core";
import {
  createCheckInQueue,
  drawOrder,
  roundEnded,
  separationLeft,
  type CheckIn,
} from "@tributary/federation";
import type { IneligibleReason, ServerMessage } from "@tributary/protocol";
import type { TaskRecord } from "../../ports/task-records.ts";
import { ParticipationLedger } from "../participation-ledger.ts";
import { isHeldOutOf } from "../measurement/gate-seats.ts";
import type { RoundRun } from "../round-run.ts";
import type { RoundServices } from "../round-services.ts";
import { quarantinedMessage, waitMessage } from "../seat-messages.ts";
import { Seating } from "../secure/seating.ts";
import type { DeskTask, TaskDesk } from "../task-desk.ts";
import { SITS_OUT, type SeatCounts } from "../task-seats.ts";

export interface CohortSeatsOptions {
  readonly services: RoundServices;
  readonly desk: TaskDesk;
  /** As it is now. */
  readonly task: () => TaskRecord;
  /** A device may be seated that could not before. */
  readonly free: () => void;
}

/** The devices of a buffered task: who is willing, which cohort each is in, and who is free for the next one. */
export class CohortSeats implements DeskTask {
  readonly #options: CohortSeatsOptions;
  readonly #queue = createCheckInQueue();
  /** The cohort a device is in, until it hears how that ended for it. */
  readonly #seatOf = new Map<DeviceId, RoundRun>();
  /** Versions that devices do not want to train from again. */
  readonly #declined = new Map<DeviceId, number>();
  readonly #ineligible = new Map<DeviceId, IneligibleReason>();
  #ledger: ParticipationLedger | undefined;
  #seating = Seating.open;
  #population = 0;
  /** Of those in the queue, held out by the task's gate. */
  readonly #heldOut = new Set<DeviceId>();
  /** Willing devices that sat out when a cohort was last filled. */
  #sittingOut = 0;

  constructor(options: CohortSeatsOptions) {
    this.#options = options;
  }

  get name(): TaskRecord["name"] {
    return this.#options.task().name;
  }

  /** Devices that may come, estimated. */
  get population(): number {
    return Math.max(this.#population, this.#queue.size);
  }

  counts(): SeatCounts {
    const ineligible: { [Reason in IneligibleReason]?: number } = {};
    for (const reason of this.#ineligible.values()) ineligible[reason] = (ineligible[reason] ?? 0) + 1;
    return { checkedIn: this.#queue.size, sittingOut: this.#sittingOut, ineligible };
  }

  /** The device sits out by its own word. */
  ineligible(device: DeviceId, reason: IneligibleReason): void {
    this.leave(device);
    this.#ineligible.set(device, reason);
  }

  checkIn(checkIn: CheckIn): void {
    const { device, examples } = checkIn;
    this.#ineligible.delete(device);
    if (this.#seating.seatOf(device) === "quarantined") return this.#refuseQuarantined(device);
    this.#queue.checkIn(device, examples);
    if (isHeldOutOf(this.#options.task(), device)) this.#heldOut.add(device);
    const run = this.#seatOf.get(device);
    // One that lost its offer with its connection is free; everybody else comes back to its cohort.
    const stage = run?.state.participants.get(device)?.stage;
    if (run === undefined || stage === undefined || stage === "out" || stage === "refused") {
      this.#seatOf.delete(device);
      this.#options.services.send(device, this.#wait());
    } else run.give({ type: "check-in", device, examples });
  }

  leave(device: DeviceId): void {
    this.#forget(device);
    this.#seatOf.get(device)?.give({ type: "leave", device });
    this.#seatOf.delete(device);
    this.#options.desk.changed();
  }

  disconnected(device: DeviceId): void {
    this.#forget(device);
    this.#seatOf.get(device)?.give({ type: "disconnect", device });
  }

  /** It may be that it has given enough from this version, or cannot train it: it is asked again from the next. */
  declined(device: DeviceId, run: RoundRun, code: string): void {
    this.#declined.set(device, versionOf(run));
    if (this.#seatOf.get(device) === run) this.#seatOf.delete(device);
    this.#options.desk.changed();
    if (!SITS_OUT.has(code) || this.#queue.get(device) === undefined) return;
    // It may not train now: it checks in again when it may.
    this.#forget(device);
    this.#options.services.send(device, this.#wait());
  }

  /** The `send` of cohorts: an outcome frees its device. */
  send(device: DeviceId, message: ServerMessage): boolean {
    if (message.type === "outcome" && this.#seatOf.get(device)?.config.roundId === message.roundId) {
      this.#seatOf.delete(device);
      this.#options.free();
      this.#options.desk.changed();
    }
    return this.#options.services.send(device, message);
  }

  offered(device: DeviceId, round: number): void {
    this.#ledger?.add(device, { round, at: this.#options.services.env.clock.now() });
    this.#options.desk.asked(this, device);
  }

  has(device: DeviceId): boolean {
    const stage = this.#seatOf.get(device)?.state.participants.get(device)?.stage;
    return stage !== undefined && stage !== "candidate" && stage !== "out" && stage !== "refused";
  }

  /** A cohort begins with its first device: there is nothing to keep others from tasks for. */
  waiting(): undefined {
    return undefined;
  }

  wants(device: DeviceId): boolean {
    return this.#queue.get(device) !== undefined;
  }

  yield(device: DeviceId): void {
    const run = this.#seatOf.get(device);
    if (run?.state.participants.get(device)?.stage !== "candidate") return;
    this.#seatOf.delete(device);
    run.give({ type: "leave", device });
  }

  again(): void {
    this.#options.free();
  }

  /** Whether there are as many devices that train as a sum needs, whatever they do now. */
  enough(minimumCount: number): boolean {
    return this.#queue.size - this.#heldOut.size >= minimumCount;
  }

  /** Who may be in the next cohort. */
  async prepare(secure: boolean): Promise<void> {
    const { store, env } = this.#options.services;
    const { name, population } = this.#options.task();
    this.#ledger ??= await ParticipationLedger.open(store, name, env.log);
    this.#population = await store.devices.count(population, { certifiedAt: env.clock.now() });
    this.#options.desk.join(this);
    this.#seating = await Seating.next(store, name, env.random, secure);
  }

  /** The task has no cohorts for now. */
  async rest(): Promise<void> {
    this.#options.desk.leave(this);
    await this.#ledger?.written();
  }

  /** An operator may have released some. */
  refresh(): Promise<void> {
    return this.#seating.refresh(this.#options.services.store, this.name);
  }

  /** Gives a cohort the devices that are free, as far as it has places. */
  fill(run: RoundRun): void {
    const { config, state } = run;
    let places = config.offerLimit - state.tally.open - state.tally.candidates;
    for (const { device, examples } of this.#free(run)) {
      if (places <= 0 || roundEnded(run.state)) return;
      this.#seatOf.set(device, run);
      run.give({ type: "check-in", device, examples });
      places -= 1;
    }
  }

  /** The devices of a round that an earlier process began come back to it. */
  seat(run: RoundRun): void {
    for (const [device, { stage }] of run.state.participants)
      if (stage === "offered" || stage === "ready" || stage === "member" || stage === "reported")
        this.#seatOf.set(device, run);
  }

  /** From a cohort that was formed without them into another on the same base. */
  move(from: RoundRun, to: RoundRun, devices: readonly DeviceId[]): void {
    for (const device of devices) {
      const checkIn = this.#queue.get(device);
      // Gone meanwhile; one that comes back is seated anew.
      if (this.#seatOf.get(device) !== from) continue;
      this.#seatOf.delete(device);
      if (checkIn === undefined) continue;
      this.#seatOf.set(device, to);
      to.give({ type: "check-in", device, examples: checkIn.examples });
    }
  }

  /** There is no other cohort for them. */
  supersede(from: RoundRun, devices: readonly DeviceId[]): void {
    const { roundId } = from.config;
    for (const device of devices)
      this.send(device, { type: "outcome", roundId, result: "superseded", code: "round/superseded" });
  }

  /** A cohort is over: whoever is still in it, and did not hear of its end, is free. */
  ended(run: RoundRun): void {
    for (const [device, seat] of this.#seatOf) {
      if (seat !== run || run.state.participants.get(device)?.stage === "carried") continue;
      this.#seatOf.delete(device);
    }
  }

  #forget(device: DeviceId): void {
    this.#queue.remove(device);
    this.#heldOut.delete(device);
    this.#ineligible.delete(device);
  }

  /** In the order drawn; suspected ones, the least suspected first, where all others are too few. */
  #free(run: RoundRun): readonly CheckIn[] {
    const { minimumCount, round, measurement } = run.config;
    const { env } = this.#options.services;
    const { selection } = this.#options.task().spec;
    const free: CheckIn[] = [];
    const held: CheckIn[] = [];
    let unsuspected = 0;
    let sittingOut = 0;
    for (const checkIn of this.#queue.all()) {
      const { device } = checkIn;
      if (this.#heldOut.has(device) !== (measurement !== undefined)) continue;
      const seat = this.#seating.seatOf(device);
      if (seat === "quarantined") {
        this.#forget(device);
        this.#refuseQuarantined(device);
        continue;
      }
      if (seat === "free") unsuspected += 1;
      if (this.#seatOf.has(device)) continue;
      const next = { round, at: env.clock.now() };
      const separated = separationLeft(selection, this.#ledger?.last(device), next) !== null;
      if (separated || (this.#declined.get(device) ?? 0) >= versionOf(run)) sittingOut += 1;
      else if (this.#options.desk.mayAsk(this, device)) (seat === "free" ? free : held).push(checkIn);
    }
    if (measurement === undefined) this.#sittingOut = sittingOut;
    const drawn = drawOrder(free, {
      fairness: selection.fairness,
      round,
      lastRound: (device) => this.#ledger?.last(device)?.round,
      random: seededRandom(encodeHex(env.random.bytes(16))),
    });
    if (unsuspected >= minimumCount) return drawn;
    return [...drawn, ...this.#seating.inOrder(held).slice(0, minimumCount - unsuspected)];
  }

  #wait(): ServerMessage {
    const task = this.#options.task();
    const { population } = this;
    const now = this.#options.services.env.clock.now();
    return waitMessage(task, { now, needAt: null, wanted: task.spec.cohort.goalCount, population });
  }

  #refuseQuarantined(device: DeviceId): void {
    this.#options.services.send(device, quarantinedMessage(this.name, device));
  }
}

/** What a device is asked to begin from, or to measure. */
function versionOf({ config: { baseVersion, measurement } }: RoundRun): number {
  return measurement?.candidate?.version ?? baseVersion;
}
