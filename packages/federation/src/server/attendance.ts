import type { DeviceId } from "@tributary/core";
import type { RoundDraft } from "./round-draft.ts";
import { offer, requestReport, wait } from "./round-messages.ts";
import { loseMember, sendStep } from "./secure-cohort.ts";

/** The device is there, for the first time or again: it hears where it stands. */
export function checkIn(draft: RoundDraft, device: DeviceId, examples: number): void {
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
    case "carried":
      return;
    default: {
      const never: never = participant;
      throw new TypeError(`round: no such stage ${String(never)}`);
    }
  }
}

/** The device will not go on in this round, by its own word. */
export function withdraw(draft: RoundDraft, device: DeviceId): void {
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
    case "carried":
    case undefined:
      return;
    default: {
      const never: never = participant;
      throw new TypeError(`round: no such stage ${String(never)}`);
    }
  }
}
