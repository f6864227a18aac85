import type { TaskActivityView, TaskView } from "@tributary/api-client";
import { formatCountdown } from "../format/time.ts";

/** Why a task stopped, or what it waits for, for people; undefined where its round says all there is. */
export function activitySentence(
  task: Pick<TaskView, "state" | "reason">,
  activity: TaskActivityView | undefined,
  nowMs: number,
): string | undefined {
  if (task.state !== "running") {
    return task.reason === null ? undefined : `The task is ${task.state}: ${task.reason.message}.`;
  }
  if (activity === undefined) return undefined;
  const { nextRoundAt, failures, sittingOut, checkedIn, ineligible } = activity;
  const leftMs = nextRoundAt === null ? 0 : Date.parse(nextRoundAt) - nowMs;
  const left = Object.entries(ineligible).map(([reason, count]) => `${count} for ${reason}`);
  const parts = [
    ...(failures === 0
      ? []
      : [`${failures === 1 ? "the last round" : `${failures} rounds in a row`} failed`]),
    ...(leftMs < 1_000 ? [] : [`the next round may begin in ${formatCountdown(leftMs)}`]),
    ...(sittingOut === 0 ? [] : [`${sittingOut} of ${devices(checkedIn)} sit out`]),
    ...(left.length === 0 ? [] : [`not asked are ${left.join(", ")}`]),
  ];
  if (parts.length === 0) return undefined;
  const text = parts.join("; ");
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function devices(count: number): string {
  return count === 1 ? "1 willing device" : `${count} willing devices`;
}
