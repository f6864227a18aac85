import type { DeviceId } from "@tributary/core";
import type { RoundDraft } from "./round-draft.ts";
import { offer, outcome, requestReport } from "./round-messages.ts";
import { beginSecuring } from "./secure-cohort.ts";

/** Offers go out as far as there are places. */
export function offerSlots(draft: RoundDraft): void {
  for (const device of draft.takeCandidates()) draft.send(device, offer(draft));
}

/**
 * Training is over: whoever is ready is a member. The others are not needed; in buffered mode they train on, so that
 * the fast never make the work of the slow worthless.
 */
export function formCohort(draft: RoundDraft): void {
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
  if (draft.config.buffered === true) carry(draft);
  for (const [device, participant] of draft.participants()) {
    if (participant.stage !== "offered" && participant.stage !== "ready") continue;
    draft.put(device, { stage: "out", connected: participant.connected });
    if (participant.connected) draft.send(device, outcome(draft, "not-needed", { code: "round/full" }));
  }
}

/** Who is there and trains, or waits for an offer, goes on in the next cohort on this base. */
function carry(draft: RoundDraft): void {
  const devices: DeviceId[] = [];
  for (const [device, { stage, connected }] of draft.participants()) {
    if (!connected || (stage !== "offered" && stage !== "candidate")) continue;
    devices.push(device);
    draft.put(device, { stage: "carried", connected });
  }
  if (devices.length > 0) draft.effect({ type: "carry", devices });
}
