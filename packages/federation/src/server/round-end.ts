import { failure, type DeviceId, type ErrorCode, type ModelVersion } from "@tributary/core";
import type { ServerMessage } from "@tributary/protocol";
import type { RoundDraft } from "./round-draft.ts";
import { outcome } from "./round-messages.ts";
import type { ParticipantStage } from "./round-types.ts";

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
export function committed(draft: RoundDraft, version: ModelVersion | null): void {
  if (draft.state.phase !== "aggregating") throw invalid(draft, "committed");
  draft.enter({ phase: "committed", version });
  draft.effect({ type: "ended", result: "committed", version });
  tellSummed(draft, outcome(draft, "committed", version === null ? {} : { version }));
}

/** @throws federation/invalid-transition */
export function buffered(draft: RoundDraft): void {
  if (draft.state.phase !== "aggregating" || draft.config.buffered !== true) throw invalid(draft, "buffered");
  draft.enter({ phase: "buffered" });
  draft.effect({ type: "ended", result: "buffered" });
  tellSummed(draft, outcome(draft, "buffered", {}));
}

function tellSummed(draft: RoundDraft, message: ServerMessage): void {
  for (const [device, { stage, connected }] of draft.participants()) {
    if (connected && (stage === "reported" || stage === "secured")) draft.send(device, message);
  }
}

/** Who has no part in a round needs no word of its end. */
const UNTOLD: ReadonlySet<ParticipantStage> = new Set(["candidate", "out", "refused", "carried"]);

export function abandon(draft: RoundDraft, code: ErrorCode): void {
  const result = code === "round/superseded" ? "superseded" : "abandoned";
  draft.countMissingMembers();
  draft.enter({ phase: "abandoned", code });
  draft.effect({ type: "ended", result: "abandoned", code });
  for (const [device, { stage, connected }] of draft.participants()) {
    if (!connected || UNTOLD.has(stage)) continue;
    draft.send(device, outcome(draft, result, { code }));
  }
}

function invalid(draft: RoundDraft, input: string): Error {
  return failure(
    "federation/invalid-transition",
    `federation: round ${draft.config.roundId} got ${input} in phase ${draft.state.phase}; the driver may only give it while aggregating`,
    { detail: { phase: draft.state.phase, input } },
  );
}
