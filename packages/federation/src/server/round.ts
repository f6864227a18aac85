import type { DeviceId } from "@tributary/core";
import { DeviceTable } from "../device-table.ts";
import { checkIn, withdraw } from "./attendance.ts";
import { formCohort, offerSlots } from "./cohort-forming.ts";
import { disconnect, resume } from "./connections.ts";
import { ready, secureReady } from "./readiness.ts";
import { endReporting, reportAccepted, reportRefused } from "./reporting.ts";
import { deadlineOf, hasEnded, RoundDraft } from "./round-draft.ts";
import { abandon, aggregate, aggregated, buffered, committed } from "./round-end.ts";
import type {
  Participant,
  RoundConfig,
  RoundCounts,
  RoundInput,
  RoundState,
  RoundStep,
  UpdateClaim,
} from "./round-types.ts";
import { advanceSecuring, secureAnswered, secureOpened } from "./secure-cohort.ts";

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
 * A round, server half: train first, then aggregate.
 *
 * selecting -> training as soon as the minimum of devices is there; training -> reporting when the goal count is
 * ready, or at the deadline with the minimum; reporting -> aggregating when no member is waited for any more; in secure
 * rounds securing, step by step, takes the place of reporting; aggregating -> committed, or, for a cohort of a task in
 * buffered mode, buffered; any phase -> abandoned. Pure: the same inputs give the same states and effects.
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
  return hasEnded(state);
}

function advance(draft: RoundDraft): void {
  const { state } = draft;
  switch (state.phase) {
    case "selecting":
      if (state.started && state.tally.candidates >= draft.beginCount()) {
        draft.beginTraining();
        offerSlots(draft);
      }
      return;
    case "training": {
      const { ready } = state.tally;
      if (ready >= draft.config.goalCount) return formCohort(draft);
      if (draft.now >= state.deadline || isComplete(state)) {
        if (ready >= draft.config.minimumCount) return formCohort(draft);
        return abandon(draft, draft.config.buffered === true ? "round/superseded" : "round/too-few-ready");
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
    case "buffered":
    case "abandoned":
      return;
    default: {
      const never: never = state;
      throw new TypeError(`round: no such phase ${String(never)}`);
    }
  }
}

/** Whether all that may still be ready are. */
function isComplete({ phase, tally, ...state }: RoundState): boolean {
  if (phase !== "training") return false;
  return "closed" in state && tally.candidates === 0 && tally.open === tally.ready;
}

function close(draft: RoundDraft): void {
  const { state } = draft;
  if (state.phase === "selecting") abandon(draft, "round/superseded");
  else if (state.phase === "training") draft.state = { ...state, closed: true };
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
    case "close":
      return close(draft);
    case "aggregated":
      return aggregated(draft);
    case "committed":
      return committed(draft, input.version);
    case "buffered":
      return buffered(draft);
    case "abandon":
      if (!hasEnded(draft.state)) abandon(draft, input.code);
      return;
    default: {
      const never: never = input;
      throw new TypeError(`round: no such input ${String(never)}`);
    }
  }
}
