import type { OutcomeResult, ServerMessage } from "@tributary/protocol";
import { deadlineOf, type RoundDraft } from "./round-draft.ts";
import type { UpdateClaim } from "./round-types.ts";

export function offer(draft: RoundDraft): ServerMessage {
  const { config } = draft;
  return {
    type: "offer",
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

/** How long a device without a place may sleep; a push comes earlier when a place frees. */
const WAIT_FOR_ENDED_MS = 5_000;

export function wait(draft: RoundDraft): ServerMessage {
  const { config, state } = draft;
  let retryAfterMs = WAIT_FOR_ENDED_MS;
  if (state.phase === "selecting") retryAfterMs = config.trainDeadlineMs;
  else if (deadlineOf(state) !== null) retryAfterMs = Math.max(1_000, draft.deadline() - draft.now);
  return { type: "wait", task: config.task, retryAfterMs };
}

export function outcome(
  draft: RoundDraft,
  result: OutcomeResult,
  more: Pick<Extract<ServerMessage, { type: "outcome" }>, "version" | "code">,
): ServerMessage {
  return { type: "outcome", roundId: draft.config.roundId, result, ...more };
}
