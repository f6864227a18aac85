import { SECURE_STEPS, type SecureStep, type SecureStepName } from "@tributary/protocol";
import { stepEndsAt, type ParticipantDraft } from "./participant-draft.ts";
import type { ParticipantInput } from "./participant-types.ts";

// A member's steps of secure aggregation: each is asked for by the coordinator, and each answer waits for the next.

type Input<Type extends ParticipantInput["type"]> = Extract<ParticipantInput, { readonly type: Type }>;

export function receiveStep(draft: ParticipantDraft, request: SecureStep): void {
  const { activity } = draft;
  const { roundId } = request;
  const here = activity.type !== "idle" && activity.offer.roundId === roundId;
  if (here && activity.type === "ready" && "commitment" in activity.update) {
    const { offer, update } = activity;
    draft.notify({ type: "reporting", roundId });
    return begin(draft, { offer, update, request });
  }
  if (!here || activity.type !== "securing") {
    // Said to another life of this device, or for an update that is not of a secure round.
    return draft.send({ type: "decline", roundId, code: "federation/update-lost" });
  }
  const behind = placeOf(request.step) - placeOf(activity.request.step);
  if (behind < 0) return;
  const underWay = !activity.answered && activity.retryAt === null;
  // Asked again while it is under way. When it was answered, the coordinator has not counted the answer.
  if (behind === 0 && underWay) return;
  // A later step says that the answer before it was counted; word of that may still be on its way here.
  begin(draft, { offer: activity.offer, update: activity.update, request });
}

export function secureAnswered(draft: ParticipantDraft, input: Input<"secure-answered">): void {
  const activity = securing(draft, input);
  if (activity === undefined) return;
  draft.go({ ...activity, answered: true, failures: 0 });
}

export function secureFailed(draft: ParticipantDraft, input: Input<"secure-failed">): void {
  const activity = securing(draft, input);
  if (activity === undefined) return;
  const { roundId, code, retryable } = input;
  const retryAt = draft.now + draft.retryDelayMs(activity.failures);
  if (retryable && retryAt < activity.request.deadlineMs) {
    return draft.go({ ...activity, failures: activity.failures + 1, retryAt });
  }
  draft.go({ type: "idle" });
  draft.effect({ type: "discard-update", roundId });
  draft.send({ type: "decline", roundId, code });
  draft.notify({ type: "failed", roundId, code });
}

/** What time alone brings about in a step. */
export function expireStep(draft: ParticipantDraft): "late" | undefined {
  const { activity, now } = draft;
  if (activity.type !== "securing") return undefined;
  if (now >= stepEndsAt(activity, draft.config)) return "late";
  if (activity.retryAt !== null && now >= activity.retryAt) {
    draft.go({ ...activity, retryAt: null });
    ask(draft, activity.request);
  }
  return undefined;
}

function begin(
  draft: ParticipantDraft,
  next: Pick<Extract<ParticipantDraft["activity"], { type: "securing" }>, "offer" | "update" | "request">,
): void {
  draft.go({ type: "securing", ...next, failures: 0, retryAt: null, answered: false });
  ask(draft, next.request);
}

function ask(draft: ParticipantDraft, request: SecureStep): void {
  draft.effect({ type: "secure-step", roundId: request.roundId, request });
}

/** The activity, if the input is about the step it is in. */
function securing(draft: ParticipantDraft, { roundId, step }: Pick<SecureStep, "roundId" | "step">) {
  const { activity } = draft;
  if (activity.type !== "securing" || activity.offer.roundId !== roundId) return undefined;
  return activity.request.step === step ? activity : undefined;
}

function placeOf(step: SecureStepName): number {
  return SECURE_STEPS.indexOf(step);
}
