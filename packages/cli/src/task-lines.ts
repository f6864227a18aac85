import type { TaskActivityView, TaskView, VersionView } from "@tributary/api-client";
import { counted } from "./counted.ts";

/** Why a task does not run, and what it waits for where it does; nothing where there is nothing to tell. */
export function taskLines(
  task: Pick<TaskView, "state" | "reason">,
  activity: TaskActivityView,
): readonly string[] {
  const { nextRoundAt, failures, checkedIn, sittingOut, ineligible } = activity;
  if (task.state !== "running") {
    return task.reason === null ? [] : [`${task.reason.code}: ${task.reason.message}`];
  }
  const reasons = Object.entries(ineligible).map(([reason, count]) => `${reason} ${count}`);
  const out = sittingOut === 0 ? "" : `, ${sittingOut} of them sit out`;
  return [
    ...(nextRoundAt === null ? [] : [`next round from ${nextRoundAt}`]),
    ...(failures === 0
      ? []
      : [failures === 1 ? "the last round failed" : `${failures} rounds in a row failed`]),
    `${counted(checkedIn, "device")} willing${out}`,
    ...(reasons.length === 0 ? [] : [`not asked: ${reasons.join(", ")}`]),
  ];
}

/** How the updates of a version compared with the coordinator's own. */
export function trustLine({
  compared,
  trusted,
  mean,
  lowest,
  highest,
}: NonNullable<VersionView["trust"]>): string {
  const [least, most, average] = [lowest, highest, mean].map((score) => score.toFixed(2));
  return `trusted ${trusted} of ${compared}: scores ${least} to ${most}, mean ${average}`;
}
