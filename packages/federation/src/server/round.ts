import { failure, type DeviceId, type ErrorCode } from "@tributary/core";
import type { OutcomeResult, ServerMessage } from "@tributary/protocol";
import { DeviceTable } from "../device-table.ts";
import { disconnect, resume } from "./connections.ts";
import { returnWindow } from "../pace.ts";
import { deadlineOf, RoundDraft } from "./round-draft.ts";
import type {
  Participant,
  RoundConfig,
  RoundCounts,
  RoundInput,
  RoundState,
  RoundStep,
  SecureClaim,
  UpdateClaim,
} from "./round-types.ts";
import {
  advanceSecuring,
  beginSecuring,
  loseMember,
  secureAnswered,
  secureOpened,
  sendStep,
} from "./secure-cohort.ts";

/**
 * A round before its `start`.
 *
 * @throws RangeError when the rules cannot be met: 1 <= minimumCount <= goalCount <= offerLimit, durations above 0.
 */
export function initialRound(config: RoundConfig): RoundState {
  const { minimumCount, goalCount, offerLimit } = config;
  if (!(minimumCount >= 1 && goalCount >= minimumCount && offerLimit >= goalCount)) {
    throw new RangeError(
      `initialRound: 1 <= minimumCount <= goalCount <= offerLimit expected, got ${minimumCount}, ${goalCount}, ${offerLimit}`,
    );
  }
  for (const name of ["trainDeadlineMs", "reportDeadlineMs", "reconnectGraceMs"] as const) {
    if (!(config[name] > 0))
      throw new RangeError(`initialRound: ${name} must be above 0, got ${config[name]}`);
  }
  if (config.secure !== null && !(config.secure.stepDeadlineMs > 0)) {
    throw new RangeError(`initialRound: stepDeadlineMs must be above 0, got ${config.secure.stepDeadlineMs}`);
  }
  return {
    phase: "selecting",
    started: false,
    participants: DeviceTable.empty<Participant>(),
    counts: { offered: 0, ready: 0, cohort: 0, reported: 0, dropouts: 0, refused: 0 },
    tally: { candidates: 0, open: 0, ready: 0 },
    secure: null,
    nextOrder: 0,
    wakeAt: null,
  };
}

/**
 * The synchronous round, server half: train first, then aggregate.
 *
 * selecting -> training as soon as the minimum of devices is there; training -> reporting when the goal count is
 * ready, or at the deadline with the minimum; reporting -> aggregating when no member is waited for any more; in secure
 * rounds securing, step by step, takes the place of reporting; any phase -> abandoned. Pure: the same inputs give the same states and effects.
 *
 * @throws federation/invalid-transition for a driver's mistake; never for anything a device sends.
 */
export function stepRound(config: RoundConfig, state: RoundState, input: RoundInput): RoundStep {
  const draft = new RoundDraft(config, state, input.now);
  // Time first: what comes after a deadline is late even when the timer has not fired yet.
  advance(draft);
  apply(draft, input);
  advance(draft);
  // Whoever ticks or resumes has no timer that still runs.
  return draft.finish(input.type === "tick" || input.type === "resumed");
}

/** Counts so far; each device counts at most once in each. */
export function roundCounts(state: RoundState): RoundCounts {
  return state.counts;
}

/** When the phase under way ends at the latest; null where only the driver can end it. */
export function roundDeadline(state: RoundState): number | null {
  return deadlineOf(state);
}

/** What the driver checks an upload against. */
export type Invitation =
  | { readonly status: "invited"; readonly claim: UpdateClaim }
  | { readonly status: "reported"; readonly claim: UpdateClaim }
  | { readonly status: "closed" | "not-invited" };

/** Whether a device may upload now, and what it announced. */
export function invitationOf(state: RoundState, device: DeviceId): Invitation {
  const participant = state.participants.get(device);
  if (participant?.stage === "reported") return { status: "reported", claim: participant.claim };
  if (participant?.stage !== "member") return { status: "not-invited" };
  if (state.phase !== "reporting") return { status: "closed" };
  return { status: "invited", claim: participant.claim };
}

/** Whether a round takes no more inputs that change it. */
export function roundEnded(state: RoundState): boolean {
  return state.phase === "committed" || state.phase === "abandoned";
}

function advance(draft: RoundDraft): void {
  const { state } = draft;
  switch (state.phase) {
    case "selecting":
      if (state.started && state.tally.candidates >= draft.config.minimumCount) {
        draft.beginTraining();
        offerSlots(draft);
      }
      return;
    case "training": {
      const { ready } = state.tally;
      if (ready >= draft.config.goalCount) return formCohort(draft);
      if (draft.now >= state.deadline) {
        if (ready >= draft.config.minimumCount) return formCohort(draft);
        return abandon(draft, "round/too-few-ready");
      }
      return offerSlots(draft);
    }
    case "reporting": {
      const waitedFor = draft.waitedFor();
      if (waitedFor > 0 && draft.now < state.deadline) return;
      return endReporting(draft);
    }
    case "securing": {
      const progress = advanceSecuring(draft);
      if (progress.type === "too-few") return abandon(draft, "secagg/below-threshold");
      if (progress.type === "unmasked") aggregate(draft, progress.survivors);
      return;
    }
    case "aggregating":
    case "committed":
    case "abandoned":
      return;
    default: {
      const never: never = state;
      throw new TypeError(`round: no such phase ${String(never)}`);
    }
  }
}

function apply(draft: RoundDraft, input: RoundInput): void {
  switch (input.type) {
    case "start":
      if (draft.state.phase === "selecting") draft.state = { ...draft.state, started: true };
      return;
    case "check-in":
      return checkIn(draft, input.device, input.examples);
    case "leave":
    case "decline":
      return withdraw(draft, input.device);
    case "disconnect":
      return disconnect(draft, input.device);
    case "resumed":
      return resume(draft);
    case "ready":
      return ready(draft, input.device, {
        numExamples: input.numExamples,
        updateDigest: input.updateDigest,
        sizeBytes: input.sizeBytes,
      });
    case "secure-ready":
      return secureReady(draft, input.device, { commitment: input.commitment });
    case "secure-opened":
      return secureOpened(draft, input);
    case "secure-answered":
      return secureAnswered(draft, input);
    case "report-accepted":
      return reportAccepted(draft, input.device, input.digest);
    case "report-refused":
      return reportRefused(draft, input.device, input.code);
    case "tick":
      return;
    case "aggregated":
      if (draft.state.phase !== "aggregating") throw invalid(draft, input.type);
      draft.state = { ...draft.state, aggregated: true };
      return;
    case "committed":
      if (draft.state.phase !== "aggregating") throw invalid(draft, input.type);
      draft.enter({ phase: "committed", version: input.version });
      draft.effect({ type: "ended", result: "committed", version: input.version });
      for (const [device, participant] of draft.participants()) {
        const summed = participant.stage === "reported" || participant.stage === "secured";
        if (!summed || !participant.connected) continue;
        const made = input.version === null ? {} : { version: input.version };
        draft.send(device, outcome(draft, "committed", made));
      }
      return;
    case "abandon":
      if (draft.state.phase !== "committed" && draft.state.phase !== "abandoned") abandon(draft, input.code);
      return;
    default: {
      const never: never = input;
      throw new TypeError(`round: no such input ${String(never)}`);
    }
  }
}

function checkIn(draft: RoundDraft, device: DeviceId, examples: number): void {
  const participant = draft.get(device);
  if (participant !== undefined) draft.reconnect(device, participant);
  switch (participant?.stage) {
    case undefined:
      if (examples > 0 && (draft.state.phase === "selecting" || draft.state.phase === "training")) {
        draft.addCandidate(device);
        // The offer comes in this very step when a place is free; otherwise the device knows that it waits.
        if (!draft.hasFreeSlot()) draft.send(device, wait(draft));
      } else {
        draft.send(device, wait(draft));
      }
      return;
    case "candidate":
      return;
    case "offered":
    case "ready":
      // It may have missed the offer, or lost its work with its process; if not, it says ready again.
      draft.send(device, draft.state.phase === "training" ? offer(draft) : wait(draft));
      return;
    case "member":
      if (draft.state.phase === "reporting") draft.send(device, requestReport(draft, participant.claim));
      return;
    case "secure-member": {
      const member = draft.get(device);
      if (member?.stage === "secure-member") sendStep(draft, device, member);
      return;
    }
    case "reported":
    case "secured":
      return;
    case "refused":
    case "out":
      draft.send(device, wait(draft));
      return;
    default: {
      const never: never = participant;
      throw new TypeError(`round: no such stage ${String(never)}`);
    }
  }
}

/** The device will not go on in this round, by its own word. */
function withdraw(draft: RoundDraft, device: DeviceId): void {
  const participant = draft.get(device);
  switch (participant?.stage) {
    case "candidate":
      draft.remove(device);
      return;
    case "offered":
    case "ready":
      draft.put(device, { stage: "out", connected: true });
      return;
    case "member":
      // After reporting, a member that never reported has been counted as a dropout already.
      if (draft.state.phase !== "reporting") return;
      draft.count("dropouts");
      draft.settle(device, { stage: "out", connected: true });
      return;
    case "secure-member":
      return loseMember(draft, device, { tell: false });
    case "reported":
    case "secured":
    case "refused":
    case "out":
    case undefined:
      return;
    default: {
      const never: never = participant;
      throw new TypeError(`round: no such stage ${String(never)}`);
    }
  }
}

function ready(draft: RoundDraft, device: DeviceId, claim: UpdateClaim): void {
  const participant = draft.get(device);
  const { phase } = draft.state;
  if (isOver(draft)) return lateReady(draft, device);
  if (participant !== undefined) draft.reconnect(device, participant);
  switch (participant?.stage) {
    case "offered":
    case "ready":
      if (draft.config.secure !== null) return refuseReady(draft, device, "round/secure-mismatch");
      if (claim.numExamples < 1) return refuseReady(draft, device, "update/invalid-weight");
      return putReady(draft, device, participant.stage, claim);
    case "member":
      if (sameClaim(participant.claim, claim)) {
        draft.send(device, requestReport(draft, participant.claim));
        return;
      }
      // The update it announced is gone; the round was promised that one.
      draft.count("dropouts");
      draft.settle(device, { stage: "out", connected: true });
      draft.send(device, outcome(draft, "refused", { code: "update/digest-mismatch" }));
      return;
    case "reported":
      return;
    case "out":
      if (phase === "reporting") draft.send(device, outcome(draft, "late", { code: "round/full" }));
      else draft.send(device, outcome(draft, "refused", { code: "update/not-invited" }));
      return;
    case "candidate":
    case "refused":
    case "secure-member":
    case "secured":
    case undefined:
      draft.send(device, outcome(draft, "refused", { code: "update/not-invited" }));
      return;
    default: {
      const never: never = participant;
      throw new TypeError(`round: no such stage ${String(never)}`);
    }
  }
}

/** What its driver verified takes a moment: a device that is gone meanwhile says it again when it is back. */
function secureReady(draft: RoundDraft, device: DeviceId, claim: SecureClaim): void {
  const participant = draft.get(device);
  if (isOver(draft)) return lateReady(draft, device);
  if (participant?.connected === false) return;
  switch (participant?.stage) {
    case "offered":
    case "ready":
      if (draft.config.secure === null) return refuseReady(draft, device, "round/secure-mismatch");
      return putReady(draft, device, participant.stage, claim);
    case "secure-member":
      if (participant.commitment === claim.commitment) return sendStep(draft, device, participant);
      // The secrets it committed to are gone with its process.
      loseMember(draft, device, { tell: false });
      draft.send(device, outcome(draft, "refused", { code: "secagg/commitment-mismatch" }));
      return;
    case "secured":
      return;
    case "out":
      if (draft.state.phase === "securing")
        draft.send(device, outcome(draft, "late", { code: "round/full" }));
      else draft.send(device, outcome(draft, "refused", { code: "update/not-invited" }));
      return;
    case "candidate":
    case "refused":
    case "member":
    case "reported":
    case undefined:
      draft.send(device, outcome(draft, "refused", { code: "update/not-invited" }));
      return;
    default: {
      const never: never = participant;
      throw new TypeError(`round: no such stage ${String(never)}`);
    }
  }
}

function isOver({ state }: RoundDraft): boolean {
  return state.phase === "aggregating" || state.phase === "committed" || state.phase === "abandoned";
}

function lateReady(draft: RoundDraft, device: DeviceId): void {
  const stage = draft.get(device)?.stage;
  if (stage === "reported" || stage === "secured") return;
  draft.send(device, outcome(draft, "late", { code: "round/deadline-passed" }));
}

function refuseReady(draft: RoundDraft, device: DeviceId, code: ErrorCode): void {
  draft.put(device, { stage: "out", connected: true });
  draft.send(device, outcome(draft, "refused", { code }));
}

/** A device that trained again after a restart has only its newest update. */
function putReady(
  draft: RoundDraft,
  device: DeviceId,
  before: "offered" | "ready",
  claim: UpdateClaim | SecureClaim,
): void {
  if (before === "offered") draft.count("ready");
  draft.put(device, { stage: "ready", connected: true, claim });
}

function reportAccepted(draft: RoundDraft, device: DeviceId, digest: string): void {
  const participant = draft.get(device);
  if (draft.state.phase !== "reporting" || participant?.stage !== "member") return;
  if (participant.claim.updateDigest !== digest) return;
  draft.count("reported");
  const { connected, claim } = participant;
  draft.settle(device, { stage: "reported", connected, claim });
  draft.effect({ type: "accumulate", device, claim });
}

function reportRefused(draft: RoundDraft, device: DeviceId, code: string): void {
  const participant = draft.get(device);
  if (draft.state.phase !== "reporting" || participant?.stage !== "member") return;
  draft.count("refused");
  draft.settle(device, { stage: "refused", connected: participant.connected, code });
  if (participant.connected) draft.send(device, outcome(draft, "refused", { code }));
}

function offerSlots(draft: RoundDraft): void {
  for (const device of draft.takeCandidates()) draft.send(device, offer(draft));
}

function formCohort(draft: RoundDraft): void {
  const ready = draft.readyDevices();
  if (draft.config.secure === null) {
    const members = ready.flatMap(([device, { claim }]) =>
      "commitment" in claim ? [] : [[device, { claim }] as const],
    );
    draft.beginReporting(members);
    for (const [device, { claim }] of members) draft.send(device, requestReport(draft, claim));
  } else {
    const members = ready.flatMap(([device, { claim }]) =>
      "commitment" in claim ? [[device, claim] as const] : [],
    );
    beginSecuring(draft, members);
  }
  for (const [device, participant] of draft.participants()) {
    if (participant.stage !== "offered" && participant.stage !== "ready") continue;
    draft.put(device, { stage: "out", connected: participant.connected });
    if (participant.connected) draft.send(device, outcome(draft, "not-needed", { code: "round/full" }));
  }
}

function endReporting(draft: RoundDraft): void {
  const survivors = draft.endReporting();
  if (survivors.length < draft.config.minimumCount) return abandon(draft, "round/too-few-reports");
  draft.effect({ type: "aggregate", devices: survivors });
}

function aggregate(draft: RoundDraft, survivors: readonly DeviceId[]): void {
  draft.enter({ phase: "aggregating", survivors, aggregated: false });
  draft.effect({ type: "aggregate", devices: survivors });
}

function abandon(draft: RoundDraft, code: ErrorCode): void {
  draft.countMissingMembers();
  draft.enter({ phase: "abandoned", code });
  draft.effect({ type: "ended", result: "abandoned", code });
  for (const [device, { stage, connected }] of draft.participants()) {
    if (!connected || stage === "candidate" || stage === "out" || stage === "refused") continue;
    draft.send(device, outcome(draft, "abandoned", { code }));
  }
}

function offer(draft: RoundDraft): ServerMessage {
  const { config } = draft;
  const offered = {
    task: config.task,
    roundId: config.roundId,
    round: config.round,
    baseVersion: config.baseVersion,
    planTarget: config.plan.target,
    planDigest: config.plan.digest,
    weightsTarget: config.weights.target,
    weightsDigest: config.weights.digest,
    trainDeadlineMs: draft.deadline(),
    timestampVersion: config.timestampVersion,
  };
  if (config.measurement === undefined) return { type: "offer", ...offered };
  const { candidate } = config.measurement;
  return { type: "offer-measurement", ...offered, ...(candidate === null ? {} : { candidate }) };
}

function requestReport(draft: RoundDraft, claim: UpdateClaim): ServerMessage {
  const { roundId } = draft.config;
  return {
    type: "request-report",
    roundId,
    deadlineMs: draft.deadline(),
    uploadPath: `/v1/rounds/${roundId}/updates/${claim.updateDigest}`,
  };
}

/** Until the next round, where no deadline tells. */
const WAIT_FOR_ENDED_MS = 5_000;

/** When a device without a place comes back; a push comes earlier when a place frees. */
function wait({ config, state, now }: RoundDraft): ServerMessage {
  const needAt = state.phase === "selecting" ? null : (deadlineOf(state) ?? now + WAIT_FOR_ENDED_MS);
  const roundMs = config.trainDeadlineMs + config.reportDeadlineMs;
  const { offerLimit: wanted, population = 0 } = config;
  return {
    type: "wait",
    task: config.task,
    ...returnWindow({ now, needAt, roundMs, wanted, population }),
  };
}

function outcome(
  draft: RoundDraft,
  result: OutcomeResult,
  more: Pick<Extract<ServerMessage, { type: "outcome" }>, "version" | "code">,
): ServerMessage {
  return { type: "outcome", roundId: draft.config.roundId, result, ...more };
}

function sameClaim(a: UpdateClaim, b: UpdateClaim): boolean {
  return a.updateDigest === b.updateDigest && a.sizeBytes === b.sizeBytes && a.numExamples === b.numExamples;
}

function invalid(draft: RoundDraft, input: string): Error {
  return failure(
    "federation/invalid-transition",
    `federation: round ${draft.config.roundId} got ${input} in phase ${draft.state.phase}; the driver may only give it while aggregating`,
    { detail: { phase: draft.state.phase, input } },
  );
}
