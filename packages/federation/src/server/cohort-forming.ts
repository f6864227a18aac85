import type { RoundDraft } from "./round-draft.ts";
import { offer, outcome, requestReport } from "./round-messages.ts";
import { beginSecuring } from "./secure-cohort.ts";

/** Offers go out as far as there are places. */
export function offerSlots(draft: RoundDraft): void {
  for (const device of draft.takeCandidates()) draft.send(device, offer(draft));
}

/** Training is over: whoever is ready is a member, the others are not needed. */
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
  for (const [device, participant] of draft.participants()) {
    if (participant.stage !== "offered" && participant.stage !== "ready") continue;
    draft.put(device, { stage: "out", connected: participant.connected });
    if (participant.connected) draft.send(device, outcome(draft, "not-needed", { code: "round/full" }));
  }
}
