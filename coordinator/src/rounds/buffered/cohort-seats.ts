import { failure, type DeviceId } from "@tributary/core";
import { createCheckInQueue, roundEnded, type CheckIn } from "@tributary/federation";
import { refusalOf, type ServerMessage } from "@tributary/protocol";
import type { TaskRecord } from "../../ports/records.ts";
import type { RoundRun } from "../round-run.ts";
import type { RoundServices } from "../round-services.ts";
import { Seating } from "../secure/seating.ts";

/** What a device hears that has no place yet. */
const WAITING_RETRY_MS = 30_000;
/** An operator may release it meanwhile. */
const QUARANTINED_RETRY_MS = 600_000;

export interface CohortSeatsOptions {
  readonly services: RoundServices;
  readonly task: Pick<TaskRecord, "name">;
  /** A device may be seated that could not before. */
  readonly free: () => void;
}

/** The devices of a buffered task: who is willing, which cohort each is in, and who is free for the next one. */
export class CohortSeats {
  readonly #options: CohortSeatsOptions;
  readonly #queue = createCheckInQueue();
  /** The cohort a device is in, until it hears how that ended for it. */
  readonly #seatOf = new Map<DeviceId, RoundRun>();
  /** Versions that devices do not want to train from again. */
  readonly #declined = new Map<DeviceId, number>();
  #seating = Seating.open;

  constructor(options: CohortSeatsOptions) {
    this.#options = options;
  }

  checkIn(checkIn: CheckIn): void {
    const { device, examples } = checkIn;
    if (this.#seating.seatOf(device) === "quarantined") return this.#refuseQuarantined(device);
    this.#queue.checkIn(device, examples);
    const run = this.#seatOf.get(device);
    // One that lost its offer with its connection is free; everybody else comes back to its cohort.
    const stage = run?.state.participants.get(device)?.stage;
    if (run === undefined || stage === undefined || stage === "out" || stage === "refused") {
      this.#seatOf.delete(device);
      this.#options.services.send(device, this.#wait());
    } else run.give({ type: "check-in", device, examples });
  }

  leave(device: DeviceId): void {
    this.#queue.remove(device);
    this.#seatOf.get(device)?.give({ type: "leave", device });
    this.#seatOf.delete(device);
  }

  disconnected(device: DeviceId): void {
    this.#queue.remove(device);
    this.#seatOf.get(device)?.give({ type: "disconnect", device });
  }

  /** It may be that it has given enough from this version, or cannot train it: it is asked again from the next. */
  declined(device: DeviceId, run: RoundRun): void {
    this.#declined.set(device, run.config.baseVersion);
    if (this.#seatOf.get(device) === run) this.#seatOf.delete(device);
  }

  /** The `send` of cohorts: an outcome frees its device. */
  send(device: DeviceId, message: ServerMessage): boolean {
    if (message.type === "outcome" && this.#seatOf.get(device)?.config.roundId === message.roundId) {
      this.#seatOf.delete(device);
      this.#options.free();
    }
    return this.#options.services.send(device, message);
  }

  offered(device: DeviceId): void {
    this.#queue.offered(device);
  }

  /** Whether there are as many devices as a sum needs, whatever they do now. */
  enough(minimumCount: number): boolean {
    return this.#queue.size >= minimumCount;
  }

  /** Who may be in the next cohort. */
  async prepare(secure: boolean): Promise<void> {
    const { store, env } = this.#options.services;
    const { name } = this.#options.task;
    this.#seating = secure ? await Seating.next(store, name, env.random) : Seating.open;
  }

  /** An operator may have released some. */
  refresh(): Promise<void> {
    return this.#seating.refresh(this.#options.services.store, this.#options.task.name);
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

  /** In the order of their turn; suspected ones, the least suspected first, where all others are too few. */
  #free(run: RoundRun): readonly CheckIn[] {
    const { baseVersion, minimumCount } = run.config;
    const free: CheckIn[] = [];
    const held: CheckIn[] = [];
    let unsuspected = 0;
    for (const checkIn of this.#queue.inOrder()) {
      const { device } = checkIn;
      const seat = this.#seating.seatOf(device);
      if (seat === "quarantined") {
        this.#queue.remove(device);
        this.#refuseQuarantined(device);
        continue;
      }
      if (seat === "free") unsuspected += 1;
      if (this.#seatOf.has(device) || (this.#declined.get(device) ?? 0) >= baseVersion) continue;
      (seat === "free" ? free : held).push(checkIn);
    }
    if (unsuspected >= minimumCount) return free;
    return [...free, ...this.#seating.inOrder(held).slice(0, minimumCount - unsuspected)];
  }

  #wait(): ServerMessage {
    return { type: "wait", task: this.#options.task.name, retryAfterMs: WAITING_RETRY_MS };
  }

  #refuseQuarantined(device: DeviceId): void {
    const { name } = this.#options.task;
    const error = failure("federation/quarantined", `rounds: ${device} is quarantined in task "${name}"`, {
      detail: { task: name },
    });
    this.#options.services.send(device, refusalOf(error, { retryAfterMs: QUARANTINED_RETRY_MS }));
  }
}
