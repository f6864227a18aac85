import type { TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { BufferCard } from "./buffer-card.tsx";
import { CurvesSection } from "./curves-section.tsx";
import { GateCard } from "./gate-card.tsx";
import { HealthCard } from "./health-card.tsx";
import { LoadError } from "./load-error.tsx";
import { MeasurementsCard } from "./measurements-card.tsx";
import { ModelCard } from "./model-card.tsx";
import { RolloutCard } from "./rollout-card.tsx";
import { RoundPanel } from "./round-panel.tsx";
import { RoundsCard } from "./rounds-card.tsx";
import { Suspicions } from "./suspicions.tsx";
import { TaskActivity } from "./task-activity.tsx";
import { TaskSummary } from "./task-summary.tsx";
import { VersionsCard } from "./versions-card.tsx";

/** Everything about one task. */
export function TaskPage({ task }: { readonly task: TaskView }): ReactNode {
  const { queries } = useDashboard();
  const rounds = useQuery(queries.rounds(task.name));
  return (
    <div className="page" data-testid="task" data-task={task.name}>
      <TaskSummary task={task} rounds={rounds.data} />
      <TaskActivity task={task} />
      <RoundPanel task={task} />
      {task.spec.mode.type === "buffered" && <BufferCard task={task} />}
      <GateCard task={task} />
      <RolloutCard model={task.model} />
      {task.spec.kind !== "train" && <MeasurementsCard task={task} />}
      <Suspicions task={task} />
      {rounds.isError && <LoadError error={rounds.error} retry={() => void rounds.refetch()} />}
      {!rounds.isError && task.spec.kind !== "telemetry" && <CurvesSection rounds={rounds.data} />}
      <div className="columns columns-wide-first">
        <RoundsCard rounds={rounds.data} />
        <VersionsCard model={task.model} current={task.currentVersion} rounds={rounds.data ?? []} />
      </div>
      <ModelCard model={task.model} />
      <HealthCard model={task.model} />
    </div>
  );
}
