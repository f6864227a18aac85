import { failure, type DeviceId, type TaskName } from "@tributary/core";
import { returnWindow } from "@tributary/federation";
import { refusalOf, type ServerMessage } from "@tributary/protocol";
import type { TaskRecord } from "../ports/task-records.ts";

/** An operator may release it meanwhile. */
const QUARANTINED_RETRY_MS = 600_000;

/** Tells a device when to come back. */
export function waitMessage(
  { name, spec: { cohort } }: TaskRecord,
  when: {
    readonly now: number;
    /** When the devices are needed; null: at no time that is known. */
    readonly needAt: number | null;
    /** Devices that are asked at a time. */
    readonly wanted: number;
    /** Devices that may come, estimated. */
    readonly population: number;
  },
): ServerMessage {
  const roundMs = cohort.trainDeadlineMs + cohort.reportDeadlineMs;
  return { type: "wait", task: name, ...returnWindow({ ...when, roundMs }) };
}

export function quarantinedMessage(task: TaskName, device: DeviceId): ServerMessage {
  const error = failure("federation/quarantined", `rounds: ${device} is quarantined in task "${task}"`, {
    detail: { task },
  });
  return refusalOf(error, { retryAfterMs: QUARANTINED_RETRY_MS });
}
