import { failure, type DeviceId, type ErrorCode, type ModelVersion } from "@tributary/core";
import type { RoundDraft } from "./round-draft.ts";
import { outcome } from "./round-messages.ts";

/** Everybody's part is in: the rest is the driver's. */
export function aggregate(draft: RoundDraft, survivors: readonly DeviceId[]): void {
  draft.enter({ phase: "aggregating", survivors, aggregated: false });
  draft.effect({ type: "aggregate", devices: survivors });
}

/** The mean was taken and evaluated. @throws federation/invalid-transition */
export function aggregated(draft: RoundDraft): void {
  if (draft.state.phase !== "aggregating") throw invalid(draft, "aggregated");
  draft.state = { ...draft.state, aggregated: true };
}

/** @throws federation/invalid-transition */
export function committed(draft: RoundDraft, version: ModelVersion): void {
  if (draft.state.phase !== "aggregating") throw invalid(draft, "committed");
  draft.enter({ phase: "committed", version });
  draft.effect({ type: "ended", result: "committed", version });
  for (const [device, participant] of draft.participants()) {
    const summed = participant.stage === "reported" || participant.stage === "secured";
    if (!summed || !participant.connected) continue;
    draft.send(device, outcome(draft, "committed", { version }));
  }
}

export function abandon(draft: RoundDraft, code: ErrorCode): void {
  draft.countMissingMembers();
  draft.enter({ phase: "abandoned", code });
  draft.effect({ type: "ended", result: "abandoned", code });
  for (const [device, { stage, connected }] of draft.participants()) {
    if (!connected || stage === "candidate" || stage === "out" || stage === "refused") continue;
    draft.send(device, outcome(draft, "abandoned", { code }));
  }
}

function invalid(draft: RoundDraft, input: string): Error {
  return failure(
    "federation/invalid-transition",
    `federation: round ${draft.config.roundId} got ${input} in phase ${draft.state.phase}; the driver may only give it while aggregating`,
    { detail: { phase: draft.state.phase, input } },
  );
}
