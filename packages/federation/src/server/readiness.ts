import type { DeviceId, ErrorCode } from "@tributary/core";
import { hasEnded, type RoundDraft } from "./round-draft.ts";
import { outcome, requestReport } from "./round-messages.ts";
import type { SecureClaim, UpdateClaim } from "./round-types.ts";
import { loseMember, sendStep } from "./secure-cohort.ts";

/** The device says that it has an update. */
export function ready(draft: RoundDraft, device: DeviceId, claim: UpdateClaim): void {
  const participant = draft.get(device);
  const { phase } = draft.state;
  // It says it again when it has the next cohort's offer.
  if (participant?.stage === "carried") return;
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
export function secureReady(draft: RoundDraft, device: DeviceId, claim: SecureClaim): void {
  const participant = draft.get(device);
  if (participant?.stage === "carried") return;
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
  return state.phase === "aggregating" || hasEnded(state);
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

function sameClaim(a: UpdateClaim, b: UpdateClaim): boolean {
  return a.updateDigest === b.updateDigest && a.sizeBytes === b.sizeBytes && a.numExamples === b.numExamples;
}
