import type { RoundId } from "@tributary/core";
import type {
  IneligibleReason,
  RoundOffer,
  Outcome,
  Refusal,
  RequestReport,
  ServerMessage,
} from "@tributary/protocol";
import { returnAfterMs } from "../pace.ts";
import { isWilling, ParticipantDraft } from "./participant-draft.ts";
import type {
  LocalUpdate,
  ParticipantConfig,
  ParticipantInput,
  ParticipantState,
  ParticipantStep,
  SecureUpdate,
} from "./participant-types.ts";
import { expireStep, receiveStep, secureAnswered, secureFailed } from "./secure-steps.ts";

/** A device that is not connected and has no consent. */
export function initialParticipant(): ParticipantState {
  return {
    connected: false,
    consent: { granted: false, examples: 0 },
    checkedIn: false,
    ineligible: null,
    toldIneligible: null,
    checkInAt: null,
    activity: { type: "idle" },
  };
}

/**
 * A round, device half: checks in while there is consent and something to learn from, trains what it is offered,
 * uploads when asked. Training goes on without a connection; an update is kept until its round is over.
 * Pure: the same inputs give the same states and effects. Nothing a server says can make it throw.
 */
export function stepParticipant(
  config: ParticipantConfig,
  state: ParticipantState,
  input: ParticipantInput,
): ParticipantStep {
  const draft = new ParticipantDraft(config, state, input.now);
  expire(draft);
  apply(draft, input);
  checkIn(draft);
  return draft.finish(input.type === "tick");
}

function apply(draft: ParticipantDraft, input: ParticipantInput): void {
  switch (input.type) {
    case "connected":
      draft.set({ connected: true, checkedIn: false, toldIneligible: null, checkInAt: null });
      checkIn(draft);
      // A `ready` may have been lost with the old connection; the coordinator counts it once.
      if (draft.activity.type === "ready") sendReady(draft, draft.activity.offer, draft.activity.update);
      return;
    case "disconnected":
      return draft.set({ connected: false, checkedIn: false, toldIneligible: null, checkInAt: null });
    case "message":
      return receive(draft, input.message, input.jitter ?? 0);
    case "trained": {
      const { activity } = draft;
      if (activity.type !== "training" || activity.offer.roundId !== input.roundId) {
        return draft.effect({ type: "discard-update", roundId: input.roundId });
      }
      const { numExamples, updateDigest, sizeBytes, metrics } = input;
      const update: LocalUpdate = { numExamples, updateDigest, sizeBytes, metrics };
      return trained(draft, activity.offer, update);
    }
    case "trained-securely": {
      const { activity } = draft;
      if (activity.type !== "training" || activity.offer.roundId !== input.roundId) {
        return draft.effect({ type: "discard-update", roundId: input.roundId });
      }
      const { numExamples, commitment, certificate } = input;
      return trained(draft, activity.offer, { numExamples, commitment, certificate });
    }
    case "secure-answered":
      return secureAnswered(draft, input);
    case "secure-failed":
      return secureFailed(draft, input);
    case "train-failed":
      if (draft.activity.type !== "training" || draft.activity.offer.roundId !== input.roundId) return;
      draft.go({ type: "idle" });
      draft.send({ type: "decline", roundId: input.roundId, code: input.code });
      return draft.notify({ type: "failed", roundId: input.roundId, code: input.code });
    case "uploaded": {
      const { activity } = draft;
      if (activity.type !== "uploading" || activity.offer.roundId !== input.roundId) return;
      draft.go({ type: "reported", offer: activity.offer, update: activity.update });
      return draft.notify({
        type: "uploaded",
        roundId: input.roundId,
        sizeBytes: activity.update.sizeBytes,
      });
    }
    case "upload-failed":
      return uploadFailed(draft, input);
    case "consent":
      draft.set({ consent: { granted: input.granted, examples: input.examples } });
      if (isWilling(draft.state)) return;
      draft.drop();
      if (draft.state.checkedIn) draft.send({ type: "leave", task: draft.config.task });
      return draft.set({ checkedIn: false, toldIneligible: null, checkInAt: null });
    case "eligibility":
      return eligibility(draft, input.reason);
    case "tick":
      return;
    default: {
      const never: never = input;
      throw new TypeError(`participant: no such input ${String(never)}`);
    }
  }
}

function receive(draft: ParticipantDraft, message: ServerMessage, jitter: number): void {
  switch (message.type) {
    case "offer":
    case "offer-measurement":
      if (message.task === draft.config.task) receiveOffer(draft, message);
      return;
    case "request-report":
      return receiveRequest(draft, message);
    case "secure-step":
      return receiveStep(draft, message);
    case "outcome":
      return receiveOutcome(draft, message);
    case "wait":
      if (message.task === draft.config.task) {
        draft.set({ checkInAt: draft.now + returnAfterMs(message, jitter) });
      }
      return;
    case "refusal":
      return receiveRefusal(draft, message);
    case "challenge":
    case "welcome":
    case "release":
    case "heartbeat-ack":
      return;
    default: {
      const never: never = message;
      throw new TypeError(`participant: no such message ${String(never)}`);
    }
  }
}

/**
 * How long to wait, where the coordinator does not say, before a check-in that was refused is said again: a task may
 * begin later than its devices, and an operator may release this one.
 */
const REFUSED_RETRY_MS: Readonly<Record<string, number>> = {
  "federation/unknown-task": 5_000,
  "federation/quarantined": 600_000,
};

function receiveRefusal(draft: ParticipantDraft, refusal: Refusal): void {
  const named = refusal.detail.find(({ key }) => key === "task")?.value;
  const retryMs = Object.hasOwn(REFUSED_RETRY_MS, refusal.code) ? REFUSED_RETRY_MS[refusal.code] : undefined;
  if (retryMs === undefined || named !== draft.config.task) return;
  const waitMs = returnAfterMs({ retryAfterMs: refusal.retryAfterMs ?? retryMs, windowMs: 0 }, 0);
  if (draft.state.checkedIn) draft.set({ checkInAt: draft.now + waitMs });
}

type OfferMessage = Extract<ServerMessage, { readonly type: "offer" | "offer-measurement" }>;

function receiveOffer(draft: ParticipantDraft, message: OfferMessage): void {
  const { type, ...offer } = message;
  const { activity } = draft;
  if (activity.type !== "idle" && activity.offer.roundId === offer.roundId) {
    if (activity.type === "ready") sendReady(draft, activity.offer, activity.update);
    return;
  }
  const { granted, examples } = draft.state.consent;
  if (!granted) {
    return draft.send({ type: "decline", roundId: offer.roundId, code: "federation/no-consent" });
  }
  if (examples === 0) {
    return draft.send({ type: "decline", roundId: offer.roundId, code: "federation/no-examples" });
  }
  if (draft.state.ineligible !== null) {
    return draft.send({ type: "decline", roundId: offer.roundId, code: "federation/ineligible" });
  }
  if (draft.now >= offer.trainDeadlineMs) {
    return draft.send({ type: "decline", roundId: offer.roundId, code: "round/deadline-passed" });
  }
  const carried =
    type === "offer" && activity.type === "training" && sameWork(activity.offer, offer)
      ? activity
      : undefined;
  // A device has one round at a time: a new one means that the old one is over, whatever got lost on the way.
  if (carried === undefined) draft.drop();
  draft.set({ checkInAt: null });
  draft.go({ type: "training", offer });
  draft.notify({
    type: "offered",
    roundId: offer.roundId,
    round: offer.round,
    baseVersion: offer.baseVersion,
  });
  // The cohort it trained for was filled without it: what it learns counts for the next one on the same base.
  if (message.type === "offer-measurement") {
    return draft.effect({ type: "measure", offer: bodyOf(message) });
  }
  const work = bodyOf(message);
  draft.effect(
    carried === undefined
      ? { type: "train", offer: work }
      : { type: "carry-training", roundId: carried.offer.roundId, offer: work },
  );
}

function bodyOf<Message extends OfferMessage>(message: Message): Omit<Message, "type"> {
  const { type: _, ...offer } = message;
  return offer;
}

/** Whether what is being trained is what a new offer asks for. */
function sameWork(a: RoundOffer, b: RoundOffer): boolean {
  return (
    a.baseVersion === b.baseVersion && a.weightsDigest === b.weightsDigest && a.planDigest === b.planDigest
  );
}

function receiveRequest(draft: ParticipantDraft, request: RequestReport): void {
  const { activity } = draft;
  if (
    activity.type === "idle" ||
    activity.type === "training" ||
    activity.offer.roundId !== request.roundId
  ) {
    // Said to another life of this device: the update is gone, or not there yet.
    return draft.send({ type: "decline", roundId: request.roundId, code: "federation/update-lost" });
  }
  const { offer, update } = activity;
  if (activity.type === "securing" || "commitment" in update) {
    // The plan promised that nobody would see this update alone.
    draft.drop();
    draft.send({ type: "decline", roundId: request.roundId, code: "round/secure-mismatch" });
    return draft.notify({ type: "failed", roundId: request.roundId, code: "round/secure-mismatch" });
  }
  const target = { path: request.uploadPath, deadlineMs: request.deadlineMs };
  if (activity.type === "uploading") {
    // Asked again after a reconnect; the upload under way goes on.
    return draft.go({ ...activity, ...target });
  }
  // In `reported` the coordinator has not counted what it answered: sending it again counts once.
  draft.go({ type: "uploading", offer, update, ...target, failures: 0, retryAt: null });
  draft.notify({ type: "reporting", roundId: offer.roundId });
  upload(draft);
}

function receiveOutcome(draft: ParticipantDraft, message: Outcome): void {
  const { activity } = draft;
  if (activity.type === "idle" || activity.offer.roundId !== message.roundId) return;
  // Whose sum became a version has answered, though word of the last answer may still be on its way here.
  if (activity.type === "securing" && ["committed", "buffered"].includes(message.result))
    draft.go({ ...activity, answered: true });
  draft.drop();
  draft.notify({
    type: "outcome",
    roundId: message.roundId,
    result: message.result,
    ...(message.version === undefined ? {} : { version: message.version }),
    ...(message.code === undefined ? {} : { code: message.code }),
  });
}

function uploadFailed(
  draft: ParticipantDraft,
  input: { readonly roundId: RoundId; readonly code: string; readonly retryable: boolean },
): void {
  const { activity } = draft;
  if (activity.type !== "uploading" || activity.offer.roundId !== input.roundId) return;
  const retryAt = draft.now + draft.retryDelayMs(activity.failures);
  if (input.retryable && retryAt < activity.deadlineMs) {
    return draft.go({ ...activity, failures: activity.failures + 1, retryAt });
  }
  draft.go({ type: "idle" });
  draft.effect({ type: "discard-update", roundId: input.roundId });
  draft.notify({ type: "failed", roundId: input.roundId, code: input.code });
}

/** What time alone ends or begins. */
function expire(draft: ParticipantDraft): void {
  const { activity, now, config } = draft;
  switch (activity.type) {
    case "training":
      if (now >= activity.offer.trainDeadlineMs) late(draft, activity.offer.roundId);
      return;
    case "ready":
    case "reported":
      if (now >= activity.offer.trainDeadlineMs + config.keepReadyMs) late(draft, activity.offer.roundId);
      return;
    case "uploading":
      if (now >= activity.deadlineMs) late(draft, activity.offer.roundId);
      else if (activity.retryAt !== null && now >= activity.retryAt) {
        draft.go({ ...activity, retryAt: null });
        upload(draft);
      }
      return;
    case "securing":
      if (expireStep(draft) === "late") late(draft, activity.offer.roundId);
      return;
    case "idle":
      return;
    default: {
      const never: never = activity;
      throw new TypeError(`participant: no such activity ${String(never)}`);
    }
  }
}

function late(draft: ParticipantDraft, roundId: RoundId): void {
  const { activity } = draft;
  draft.drop();
  // An update that was reported is most likely part of the sum; only the news about it got lost.
  const told = activity.type === "reported" || (activity.type === "securing" && activity.answered);
  if (!told) draft.notify({ type: "failed", roundId, code: "round/deadline-passed" });
}

function upload(draft: ParticipantDraft): void {
  const { activity } = draft;
  if (activity.type !== "uploading") return;
  draft.effect({
    type: "upload",
    roundId: activity.offer.roundId,
    path: activity.path,
    digest: activity.update.updateDigest,
    deadlineMs: activity.deadlineMs,
  });
}

function trained(draft: ParticipantDraft, offer: RoundOffer, update: LocalUpdate | SecureUpdate): void {
  draft.go({ type: "ready", offer, update });
  draft.notify({ type: "trained", roundId: offer.roundId });
  sendReady(draft, offer, update);
}

function sendReady(draft: ParticipantDraft, offer: RoundOffer, update: LocalUpdate | SecureUpdate): void {
  if ("commitment" in update) {
    const { commitment, certificate } = update;
    return draft.send({ type: "secure-ready", roundId: offer.roundId, commitment, certificate });
  }
  const { numExamples, updateDigest, sizeBytes } = update;
  draft.send({ type: "ready", roundId: offer.roundId, numExamples, updateDigest, sizeBytes });
}

/** Makes sure that a check-in stands while there is consent, a connection and something to learn from. */
function checkIn(draft: ParticipantDraft): void {
  const { connected, checkedIn, checkInAt, consent } = draft.state;
  if (!connected || !isWilling(draft.state)) return;
  if (draft.state.ineligible !== null) return tellIneligible(draft, draft.state.ineligible);
  const asked = checkInAt !== null && draft.now >= checkInAt && draft.activity.type === "idle";
  if (checkedIn && !asked) return;
  draft.set({ checkedIn: true, toldIneligible: null, checkInAt: null });
  draft.send({ type: "check-in", task: draft.config.task, examples: consent.examples });
  if (!checkedIn) draft.notify({ type: "checked-in", examples: consent.examples });
}

/** A device that may not train any more stops at once; an update that is ready is given yet. */
function eligibility(draft: ParticipantDraft, reason: IneligibleReason | null): void {
  draft.set({ ineligible: reason });
  const { activity } = draft;
  if (reason === null || activity.type !== "training") return;
  const { roundId } = activity.offer;
  draft.drop();
  draft.send({ type: "decline", roundId, code: "federation/ineligible" });
  draft.notify({ type: "failed", roundId, code: "federation/ineligible" });
}

/** Once for each reason on a connection, and not before the round it is in has ended: it would end the device's part in it. */
function tellIneligible(draft: ParticipantDraft, reason: IneligibleReason): void {
  if (draft.activity.type !== "idle" || draft.state.toldIneligible === reason) return;
  draft.set({ checkedIn: false, checkInAt: null, toldIneligible: reason });
  draft.send({ type: "ineligible", task: draft.config.task, reason });
  draft.notify({ type: "ineligible", reason });
}
