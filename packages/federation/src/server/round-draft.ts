import type { DeviceId } from "@tributary/core";
import type { ServerMessage } from "@tributary/protocol";
import type { DeviceTable } from "../device-table.ts";
import type {
  Participant,
  ParticipantStage,
  RoundConfig,
  RoundCounts,
  RoundEffect,
  RoundState,
  RoundStep,
  RoundTally,
  UpdateClaim,
} from "./round-types.ts";

type StageOf<Stage extends ParticipantStage> = Extract<Participant, { readonly stage: Stage }>;

/** One phase's own data, without what all phases share. */
type PhaseData<State> = State extends RoundState
  ? Omit<State, "participants" | "counts" | "tally" | "secure" | "nextOrder" | "wakeAt">
  : never;

/** A step under way: the next state and its effects, gathered. The state given is never changed. */
export class RoundDraft {
  readonly config: RoundConfig;
  readonly now: number;
  state: RoundState;
  readonly #effects: RoundEffect[] = [];

  constructor(config: RoundConfig, state: RoundState, now: number) {
    this.config = config;
    this.state = state;
    this.now = now;
  }

  finish(wakeAgain: boolean): RoundStep {
    const wakeAt = this.#nextWake();
    if (wakeAt !== null && (wakeAgain || wakeAt !== this.state.wakeAt)) {
      this.effect({ type: "wake-at", at: wakeAt });
    }
    if (wakeAt !== this.state.wakeAt) this.state = { ...this.state, wakeAt };
    return { state: this.state, effects: this.#effects };
  }

  effect(effect: RoundEffect): void {
    this.#effects.push(effect);
  }

  send(device: DeviceId, message: ServerMessage): void {
    this.#effects.push({ type: "send", device, message });
  }

  get(device: DeviceId): Participant | undefined {
    return this.state.participants.get(device);
  }

  participants(): DeviceTable<Participant> {
    return this.state.participants;
  }

  put(device: DeviceId, participant: Participant): void {
    const { participants, tally } = this.state;
    const before = participants.get(device);
    this.state = {
      ...this.state,
      participants: participants.set(device, participant),
      tally: retally(tally, before, participant),
    };
  }

  remove(device: DeviceId): void {
    const { participants, tally } = this.state;
    const before = participants.get(device);
    this.state = {
      ...this.state,
      participants: participants.delete(device),
      tally: retally(tally, before, undefined),
    };
  }

  count(what: keyof RoundCounts, by = 1): void {
    const { counts } = this.state;
    this.state = { ...this.state, counts: { ...counts, [what]: counts[what] + by } };
  }

  reconnect(device: DeviceId, participant: Participant): void {
    if (participant.connected) return;
    if (participant.stage === "member" || participant.stage === "secure-member")
      this.put(device, { ...participant, connected: true, goneSince: null });
    else this.put(device, { ...participant, connected: true });
  }

  addCandidate(device: DeviceId): void {
    const order = this.state.nextOrder;
    this.put(device, { stage: "candidate", connected: true, order });
    this.state = { ...this.state, nextOrder: order + 1 };
  }

  /** Whether a new candidate gets its offer in this step. */
  hasFreeSlot(): boolean {
    const { state, config } = this;
    if (state.phase === "training") return state.tally.open < config.offerLimit;
    return state.phase === "selecting" && state.started && state.tally.candidates >= this.beginCount();
  }

  /** Devices that have to be there before any is asked to train; a buffer's cohort fills while they train. */
  beginCount(): number {
    return this.config.buffered === true ? 1 : this.config.minimumCount;
  }

  /** Turns candidates into offers, first come first served, as far as there are places. */
  takeCandidates(): readonly DeviceId[] {
    const free = Math.min(this.config.offerLimit - this.state.tally.open, this.state.tally.candidates);
    if (free <= 0) return [];
    const candidates: (readonly [DeviceId, number])[] = [];
    for (const [device, participant] of this.state.participants) {
      if (participant.stage === "candidate") candidates.push([device, participant.order]);
    }
    const taken = candidates
      .toSorted(([, a], [, b]) => a - b)
      .slice(0, free)
      .map(([device]) => device);
    for (const device of taken) this.put(device, { stage: "offered", connected: true });
    this.count("offered", taken.length);
    return taken;
  }

  /** Devices with a finished update whose connection is up. */
  readyDevices(): (readonly [DeviceId, StageOf<"ready">])[] {
    const ready: (readonly [DeviceId, StageOf<"ready">])[] = [];
    for (const [device, participant] of this.state.participants) {
      if (participant.stage === "ready" && participant.connected) ready.push([device, participant]);
    }
    return ready;
  }

  beginTraining(): void {
    this.enter({ phase: "training", deadline: this.now + this.config.trainDeadlineMs });
  }

  beginReporting(members: readonly (readonly [DeviceId, { readonly claim: UpdateClaim }])[]): void {
    this.enter({
      phase: "reporting",
      deadline: this.now + this.config.reportDeadlineMs,
      outstanding: new Set(members.map(([device]) => device)),
    });
    for (const [device, { claim }] of members) {
      this.put(device, { stage: "member", connected: true, claim, goneSince: null });
    }
    this.count("cohort", members.length);
  }

  /** A member that is not outstanding any more. */
  settle(device: DeviceId, participant: Participant): void {
    this.put(device, participant);
    if (this.state.phase !== "reporting") return;
    const outstanding = new Set(this.state.outstanding);
    outstanding.delete(device);
    this.state = { ...this.state, outstanding };
  }

  /** Outstanding members that are there, or not gone for long. */
  waitedFor(): number {
    let waitedFor = 0;
    for (const goneSince of this.#outstandingSince()) {
      if (goneSince === null || this.now < goneSince + this.config.reconnectGraceMs) waitedFor += 1;
    }
    return waitedFor;
  }

  /** Members that have neither reported nor been refused are dropouts now. */
  countMissingMembers(): void {
    const { state } = this;
    if (state.phase === "reporting") this.count("dropouts", state.outstanding.size);
    if (state.phase !== "securing") return;
    const { survivors } = state.cohort;
    for (const [device, { stage }] of state.participants)
      if (stage === "secure-member" && !survivors.has(device)) this.count("dropouts");
  }

  /** Returns the devices whose updates are in the sum. */
  endReporting(): readonly DeviceId[] {
    this.countMissingMembers();
    const survivors: DeviceId[] = [];
    for (const [device, { stage }] of this.state.participants)
      if (stage === "reported") survivors.push(device);
    this.enter({ phase: "aggregating", survivors, aggregated: false });
    return survivors;
  }

  enter(data: PhaseData<RoundState>): void {
    const { participants, counts, tally, secure, nextOrder, wakeAt } = this.state;
    this.state = { ...data, participants, counts, tally, secure, nextOrder, wakeAt };
  }

  deadline(): number {
    return deadlineOf(this.state) ?? this.now;
  }

  #nextWake(): number | null {
    let at = deadlineOf(this.state);
    if (at === null) return null;
    for (const goneSince of this.#outstandingSince()) {
      if (goneSince === null) continue;
      const givenUpAt = goneSince + this.config.reconnectGraceMs;
      if (givenUpAt > this.now) at = Math.min(at, givenUpAt);
    }
    return at;
  }

  /** Since when each outstanding member is gone; null: it is there. */
  *#outstandingSince(): Generator<number | null> {
    const { state } = this;
    if (state.phase !== "reporting" && state.phase !== "securing") return;
    const { outstanding } = state.phase === "reporting" ? state : state.cohort;
    for (const device of outstanding) {
      const member = this.get(device);
      if (member?.stage === "member" || member?.stage === "secure-member") yield member.goneSince;
    }
  }
}

/** Whether a round takes no more inputs that change it. */
export function hasEnded({ phase }: Pick<RoundState, "phase">): boolean {
  return phase === "committed" || phase === "buffered" || phase === "abandoned";
}

/** When the phase under way ends at the latest; null where only the driver can end it. */
export function deadlineOf(state: RoundState): number | null {
  switch (state.phase) {
    case "training":
    case "reporting":
      return state.deadline;
    case "securing":
      return state.cohort.opened?.deadline ?? null;
    default:
      return null;
  }
}

function retally(
  tally: RoundTally,
  before: Participant | undefined,
  after: Participant | undefined,
): RoundTally {
  return {
    candidates: tally.candidates + isCandidate(after) - isCandidate(before),
    open: tally.open + isOpen(after) - isOpen(before),
    ready: tally.ready + isReady(after) - isReady(before),
  };
}

function isCandidate(participant: Participant | undefined): number {
  return participant?.stage === "candidate" ? 1 : 0;
}

/** Holds one of the round's places: a device whose connection broke gives it up, though it may still come back. */
function isOpen(participant: Participant | undefined): number {
  const holds = participant?.stage === "offered" || participant?.stage === "ready";
  return holds && participant.connected ? 1 : 0;
}

function isReady(participant: Participant | undefined): number {
  return participant?.stage === "ready" && participant.connected ? 1 : 0;
}
