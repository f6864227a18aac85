import type { TaskActivityView } from "@tributary/protocol";
import { optionalTimestamp } from "../registry/views.ts";
import type { TaskActivity } from "./driver.ts";

export function activityView({ nextRoundAt, ...counts }: TaskActivity): TaskActivityView {
  return { ...counts, nextRoundAt: optionalTimestamp(nextRoundAt) };
}
