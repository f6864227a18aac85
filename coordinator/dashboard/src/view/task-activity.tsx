import type { TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { useServerNow } from "../data/use-server-now.ts";
import { activitySentence } from "../model/activity-lines.ts";

/** Why the task stopped, when its next round may begin, and who is not asked. Nothing where there is nothing to tell. */
export function TaskActivity({ task }: { readonly task: TaskView }): ReactNode {
  const { queries } = useDashboard();
  const { data } = useQuery(queries.activity(task.name));
  const nowMs = useServerNow(1_000);
  const sentence = activitySentence(task, data, nowMs);
  if (sentence === undefined) return null;
  return (
    <p className="summary-note" data-testid="task-activity">
      {sentence}
    </p>
  );
}
