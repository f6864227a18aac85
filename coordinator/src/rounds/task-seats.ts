import { encodeHex, seededRandom, type DeviceId } from "@tributary/core";
import {
  createCheckInQueue,
  drawOrder,
  roundEnded,
  separationLeft,
  type CheckIn,
  type ParticipantStage,
  type Separation,
  type WaitingTask,
} from "@tributary/federation";
import type { IneligibleReason } from "@tributary/protocol";
import type { TaskRecord } from "../ports/task-records.ts";
import { fitsRound } from "./measurement/gate-seats.ts";
import { ParticipationLedger } from "./participation-ledger.ts";
import type { RoundRun } from "./round-run.ts";
import type { RoundServices } from "./round-services.ts";
import { quarantinedMessage, waitMessage } from "./seat-messages.ts";
import { Seating } from "./secure/seating.ts";
import type { DeskTask, TaskDesk } from "./task-desk.ts";

/** Declined for reasons that hold for the next round too. */
export const SITS_OUT: ReadonlySet<string> = new Set(["federation/too-soon", "federation/ineligible"]);
/** As long as a device is one of these, it is busy with the round. */
const BUSY: ReadonlySet<ParticipantStage> = new Set([
  "offered",
  "ready",
  "member",
  "reported",
  "secure-member",
  "secured",
]);

export interface TaskSeatsOptions {
  readonly services: RoundServices;
  readonly desk: TaskDesk;
  /** As it is now. */
  readonly task: () => TaskRecord;
  /** When the next round may begin, while there is none. */
  readonly nextRoundAt: () => number | null;
}

/** Devices of a task by what they do, for operators. */
export interface SeatCounts {
  /** Willing. */
  readonly checkedIn: number;
  /** Of these, those that sit out: they took part too recently, or are suspected. */
  readonly sittingOut: number;
  /** Connected and not one of those that the task asks, by the rule they do not meet. */
  readonly ineligible: { readonly [Reason in IneligibleReason]?: number };
}

/** The devices that check in for one task: who is willing, who may be asked, and in which order. */
export class TaskSeats implements DeskTask {
  readonly #options: TaskSeatsOptions;
  readonly #queue = createCheckInQueue();
  readonly #ineligible = new Map<DeviceId, IneligibleReason>();
  #ledger: ParticipationLedger | undefined;
  #run: RoundRun | undefined;
  /** Who may be in the round under way. */
  #seating = Seating.open;
  #filling = false;
  /** Willing devices that sit the round out. */
  readonly #sittingOut = new Set<DeviceId>();
  /** Willing devices that other tasks have or need. */
  readonly #withheld = new Set<DeviceId>();
  #population = 0;

  constructor(options: TaskSeatsOptions) {
    this.#options = options;
  }

  get name(): TaskRecord["name"] {
    return this.#options.task().name;
  }

  /** Devices that may come, estimated. */
  get population(): number {
    return Math.max(this.#population, this.#queue.size);
  }

  checkIn(checkIn: CheckIn): void {
    const { device, examples } = checkIn;
    this.#ineligible.delete(device);
    if (this.#seating.seatOf(device) === "quarantined") return this.#refuseQuarantined(device);
    this.#queue.checkIn(device, examples);
    if (this.#run === undefined) this.#sendWait(device, this.#options.nextRoundAt());
    else this.#seat(this.#run, checkIn);
  }

  /** The device sits out by its own word. */
  ineligible(device: DeviceId, reason: IneligibleReason): void {
    this.leave(device);
    this.#ineligible.set(device, reason);
  }

  /** A device that may not train now is not asked again before it checks in again. */
  declined(device: DeviceId, code: string): void {
    this.#options.desk.changed();
    if (!SITS_OUT.has(code) || this.#queue.get(device) === undefined) return;
    this.#forget(device);
    this.#sendWait(device, null);
  }

  leave(device: DeviceId): void {
    this.#forget(device);
    this.#run?.give({ type: "leave", device });
    this.#options.desk.changed();
  }

  disconnected(device: DeviceId): void {
    this.#forget(device);
    this.#run?.give({ type: "disconnect", device });
  }

  /** An operator may have released some. */
  async refresh(): Promise<void> {
    await this.#seating.refresh(this.#options.services.store, this.name);
  }

  /** What a round needs to know before it begins. */
  async prepare(secure: boolean): Promise<void> {
    const { store, env } = this.#options.services;
    const { name, population } = this.#options.task();
    this.#ledger ??= await ParticipationLedger.open(store, name, env.log);
    this.#population = await store.devices.count(population, { certifiedAt: env.clock.now() });
    this.#seating = await Seating.next(store, name, env.random, secure);
    this.#options.desk.join(this);
  }

  /** Gives a round the devices that are there, in the order drawn for it. */
  fill(run: RoundRun): void {
    const { random } = this.#options.services.env;
    const { fairness } = this.#options.task().spec.selection;
    this.#run = run;
    this.#sittingOut.clear();
    this.#withheld.clear();
    const drawn = drawOrder(this.#queue.all(), {
      fairness,
      round: run.config.round,
      lastRound: (device) => this.#ledger?.last(device)?.round,
      random: seededRandom(encodeHex(random.bytes(16))),
    });
    for (const checkIn of drawn) {
      if (this.#seating.seatOf(checkIn.device) !== "quarantined") this.#seat(run, checkIn);
      else {
        this.#forget(checkIn.device);
        this.#refuseQuarantined(checkIn.device);
      }
    }
  }

  /** The round is over: its devices are free. */
  ended(): void {
    this.#options.desk.changed();
  }

  /** Its row is stored too. */
  left(): void {
    this.#run = undefined;
  }

  /** The task has no rounds for now. */
  async rest(): Promise<void> {
    this.#options.desk.leave(this);
    await this.#ledger?.written();
  }

  offered(device: DeviceId, round: number): void {
    const at = this.#options.services.env.clock.now();
    this.#ledger?.add(device, { round, at });
    this.#options.desk.asked(this, device);
  }

  /** Open offers or candidates of the round changed. */
  seatsChanged(): void {
    this.#fillHeld();
    this.#options.desk.changed();
  }

  counts(): SeatCounts {
    const ineligible: { [Reason in IneligibleReason]?: number } = {};
    for (const reason of this.#ineligible.values()) ineligible[reason] = (ineligible[reason] ?? 0) + 1;
    return { checkedIn: this.#queue.size, sittingOut: this.#sittingOut.size, ineligible };
  }

  has(device: DeviceId): boolean {
    if (this.#run === undefined || roundEnded(this.#run.state)) return false;
    const stage = this.#run.state.participants.get(device)?.stage;
    return stage !== undefined && BUSY.has(stage);
  }

  waiting(): WaitingTask | undefined {
    if (this.#run?.state.phase !== "selecting") return undefined;
    const could = this.#queue.size - this.#sittingOut.size;
    return { task: this.name, minimum: this.#run.config.minimumCount, could };
  }

  wants(device: DeviceId): boolean {
    return this.#queue.get(device) !== undefined && !this.#sittingOut.has(device);
  }

  yield(device: DeviceId): void {
    if (!this.#isCandidate(device)) return;
    this.#withheld.add(device);
    this.#run?.give({ type: "leave", device });
  }

  again(): void {
    const run = this.#run;
    if (run === undefined || !takesDevices(run)) return;
    for (const device of this.#withheld) {
      const checkIn = this.#queue.get(device);
      if (checkIn === undefined) this.#withheld.delete(device);
      else if (this.#options.desk.mayAsk(this, device)) this.#seat(run, checkIn);
    }
  }

  #isCandidate(device: DeviceId): boolean {
    return this.#run?.state.participants.get(device)?.stage === "candidate";
  }

  #forget(device: DeviceId): void {
    this.#queue.remove(device);
    this.#ineligible.delete(device);
    this.#sittingOut.delete(device);
    this.#withheld.delete(device);
  }

  /** Gives a device to the round, or has it wait. */
  #seat(run: RoundRun, checkIn: CheckIn): void {
    const { device, examples } = checkIn;
    // One that the round knows comes back to it.
    if (run.state.participants.get(device) === undefined) {
      // One without examples is willing and cannot be asked.
      if (examples === 0 || !fitsRound(this.#options.task(), run, device)) {
        this.#sittingOut.add(device);
        return this.#sendWait(device, null);
      }
      const separation = this.#separationOf(run, device);
      if (separation !== null) {
        this.#sittingOut.add(device);
        const now = this.#options.services.env.clock.now();
        return this.#sendWait(device, separation.waitMs > 0 ? now + separation.waitMs : null);
      }
      if (this.#seating.seatOf(device) !== "free") {
        this.#sittingOut.add(device);
        this.#sendWait(device, null);
        return this.#fillHeld();
      }
      this.#sittingOut.delete(device);
      if (!this.#options.desk.mayAsk(this, device)) {
        this.#withheld.add(device);
        return this.#sendWait(device, null);
      }
      this.#withheld.delete(device);
    }
    run.give({ type: "check-in", device, examples });
    this.#fillHeld();
  }

  #separationOf(run: RoundRun, device: DeviceId): Separation | null {
    const { selection } = this.#options.task().spec;
    const next = { round: run.config.round, at: this.#options.services.env.clock.now() };
    return separationLeft(selection, this.#ledger?.last(device), next);
  }

  /** Suspected devices, the least suspected first, where all others are too few for a cohort. */
  #fillHeld(): void {
    if (this.#filling || !this.#seating.holds) return;
    this.#filling = true;
    // After the step that made room, which is still being carried out.
    queueMicrotask(() => {
      this.#filling = false;
      const run = this.#run;
      if (run === undefined || !takesDevices(run)) return;
      const { tally } = run.state;
      const missing = run.config.minimumCount - tally.open - tally.candidates;
      if (missing <= 0) return;
      const held = this.#queue
        .all()
        .filter(
          ({ device }) =>
            this.#seating.seatOf(device) === "held" &&
            fitsRound(this.#options.task(), run, device) &&
            this.#separationOf(run, device) === null &&
            this.#options.desk.mayAsk(this, device),
        );
      if (held.length < missing) return;
      for (const { device, examples } of this.#seating.inOrder(held).slice(0, missing)) {
        this.#seating.admit(device);
        this.#sittingOut.delete(device);
        run.give({ type: "check-in", device, examples });
      }
    });
  }

  #sendWait(device: DeviceId, needAt: number | null): void {
    const { env, send } = this.#options.services;
    const task = this.#options.task();
    const { goalCount, overSelection } = task.spec.cohort;
    const wanted = Math.ceil(goalCount * overSelection);
    const now = env.clock.now();
    send(device, waitMessage(task, { now, needAt, wanted, population: this.population }));
  }

  #refuseQuarantined(device: DeviceId): void {
    this.#options.services.send(device, quarantinedMessage(this.name, device));
  }
}

function takesDevices({ state }: RoundRun): boolean {
  return state.phase === "selecting" || state.phase === "training";
}
