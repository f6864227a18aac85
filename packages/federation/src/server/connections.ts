import type { DeviceId } from "@tributary/core";
import type { RoundDraft } from "./round-draft.ts";

/** A device's connection ended; all but candidates may come back. */
export function disconnect(draft: RoundDraft, device: DeviceId): void {
  const participant = draft.get(device);
  if (participant === undefined || !participant.connected) return;
  if (participant.stage === "candidate") draft.remove(device);
  else if (participant.stage === "member" || participant.stage === "secure-member") {
    draft.put(device, { ...participant, connected: false, goneSince: draft.now });
  } else draft.put(device, { ...participant, connected: false });
}

/**
 * The coordinator was restarted and goes on with a round from its inputs. No connection outlived it, and it is not the
 * members' fault that they are gone: they are waited for until the deadline. A clock that was set back meanwhile must not
 * make a phase longer than its rules say.
 */
export function resume(draft: RoundDraft): void {
  for (const [device, { connected }] of draft.participants()) if (connected) disconnect(draft, device);
  for (const [device, participant] of draft.participants())
    if (participant.stage === "member") draft.put(device, { ...participant, goneSince: null });
  const { config, now, state } = draft;
  switch (state.phase) {
    case "training":
      draft.state = { ...state, deadline: Math.min(state.deadline, now + config.trainDeadlineMs) };
      return;
    case "reporting":
      draft.state = { ...state, deadline: Math.min(state.deadline, now + config.reportDeadlineMs) };
      return;
    case "aggregating":
      // What was aggregated went with the process; the updates did not.
      draft.state = { ...state, aggregated: false };
      return draft.effect({ type: "aggregate", devices: state.survivors });
    default:
  }
}
