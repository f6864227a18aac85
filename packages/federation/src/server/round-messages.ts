import type { OutcomeResult, ServerMessage } from "@tributary/protocol";
import { returnWindow } from "../pace.ts";
import { deadlineOf, type RoundDraft } from "./round-draft.ts";
import type { UpdateClaim } from "./round-types.ts";

export function offer(draft: RoundDraft): ServerMessage {
  const { config } = draft;
  const offered = {
    task: config.task,
    roundId: config.roundId,
    round: config.round,
    baseVersion: config.baseVersion,
    planTarget: config.plan.target,
    planDigest: config.plan.digest,
    weightsTarget: config.weights.target,
    weightsDigest: config.weights.digest,
    trainDeadlineMs: draft.deadline(),
    timestampVersion: config.timestampVersion,
  };
  if (config.measurement === undefined) {
    return { type: "offer", ...offered, trainingRound: config.trainingRound ?? config.round };
  }
  const { candidate } = config.measurement;
  return { type: "offer-measurement", ...offered, ...(candidate === null ? {} : { candidate }) };
}

export function requestReport(draft: RoundDraft, claim: UpdateClaim): ServerMessage {
  const { roundId } = draft.config;
  return {
    type: "request-report",
    roundId,
    deadlineMs: draft.deadline(),
    uploadPath: `/v1/rounds/${roundId}/updates/${claim.updateDigest}`,
  };
}

/** Until the next round, where no deadline tells. */
const WAIT_FOR_ENDED_MS = 5_000;

/** When a device without a place comes back; a push comes earlier when a place frees. */
export function wait({ config, state, now }: RoundDraft): ServerMessage {
  const needAt = state.phase === "selecting" ? null : (deadlineOf(state) ?? now + WAIT_FOR_ENDED_MS);
  const roundMs = config.trainDeadlineMs + config.reportDeadlineMs;
  const { offerLimit: wanted, population = 0 } = config;
  return {
    type: "wait",
    task: config.task,
    ...returnWindow({ now, needAt, roundMs, wanted, population }),
  };
}

export function outcome(
  draft: RoundDraft,
  result: OutcomeResult,
  more: Pick<Extract<ServerMessage, { type: "outcome" }>, "version" | "code">,
): ServerMessage {
  return { type: "outcome", roundId: draft.config.roundId, result, ...more };
}
