import type { DeviceId } from "@tributary/core";
import type { RoundDraft } from "./round-draft.ts";
import { outcome } from "./round-messages.ts";
import { abandon } from "./round-end.ts";

/** An upload passed every check: it counts once. */
export function reportAccepted(draft: RoundDraft, device: DeviceId, digest: string): void {
  const participant = draft.get(device);
  if (draft.state.phase !== "reporting" || participant?.stage !== "member") return;
  if (participant.claim.updateDigest !== digest) return;
  draft.count("reported");
  const { connected, claim } = participant;
  draft.settle(device, { stage: "reported", connected, claim });
  draft.effect({ type: "accumulate", device, claim });
}

/** An upload did not pass, and its device has no further try. */
export function reportRefused(draft: RoundDraft, device: DeviceId, code: string): void {
  const participant = draft.get(device);
  if (draft.state.phase !== "reporting" || participant?.stage !== "member") return;
  draft.count("refused");
  draft.settle(device, { stage: "refused", connected: participant.connected, code });
  if (participant.connected) draft.send(device, outcome(draft, "refused", { code }));
}

/** Nobody is waited for any more. */
export function endReporting(draft: RoundDraft): void {
  const survivors = draft.endReporting();
  if (survivors.length < draft.config.minimumCount) return abandon(draft, "round/too-few-reports");
  draft.effect({ type: "aggregate", devices: survivors });
}
