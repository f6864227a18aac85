import type { DeviceId } from "@tributary/core";
import { isHeldOut } from "@tributary/protocol";
import type { TaskRecord } from "../../ports/task-records.ts";
import type { RoundRun } from "../round-run.ts";

/** Whether a device is one of those that a task's gate holds out. */
export function isHeldOutOf({ name, spec }: Pick<TaskRecord, "name" | "spec">, device: DeviceId): boolean {
  return spec.gate !== null && isHeldOut(device, name, spec.gate.heldOutShare);
}

/** With a gate, held-out devices measure and the others train. */
export function fitsRound(
  task: Pick<TaskRecord, "name" | "spec">,
  { config }: Pick<RoundRun, "config">,
  device: DeviceId,
): boolean {
  if (task.spec.gate === null) return true;
  return isHeldOutOf(task, device) === (config.measurement?.purpose === "gate");
}
