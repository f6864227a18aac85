import type { TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useRounds, useVersions } from "../../data/use-pages.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import type { PageProps } from "../../page-entry.ts";
import { Empty } from "../../ui/empty.tsx";
import { LoadError } from "../../ui/load-error.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { BufferCard } from "../../view/buffer-card.tsx";
import { GateCard } from "../../view/gate-card.tsx";
import { MeasurementsCard } from "../../view/measurements-card.tsx";
import { RoundPanel } from "../../view/round-panel.tsx";
import { Suspicions } from "../../view/suspicions.tsx";
import { TaskActivity } from "../../view/task-activity.tsx";
import { TaskSummary } from "../../view/task-summary.tsx";
import { CurvesSection } from "./curves-section.tsx";
import { FlowSection } from "./flow-section.tsx";
import { RoundsCard } from "./rounds-card.tsx";
import { TaskActions } from "./task-actions.tsx";

/** How one task learns. */
export function TaskPage({ params: { task: name = "" } }: PageProps): ReactNode {
  const tasks = useQuery(useDashboard().queries.tasks());
  return (
    <Loaded query={tasks} loading={<PageSkeleton />}>
      {(list) => {
        const task = list.find((each) => each.name === name);
        if (task !== undefined) return <Task task={task} />;
        return (
          <div className="page">
            <Empty title="No such task" testId="no-such-task">
              <p>
                There is no task called <strong>{name}</strong>.
              </p>
            </Empty>
          </div>
        );
      }}
    </Loaded>
  );
}

function Task({ task }: { readonly task: TaskView }): ReactNode {
  const rounds = useRounds(task.name);
  const versions = useVersions(task.model);
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = rounds;
  return (
    <div className="page" data-testid="task" data-task={task.name}>
      <TaskSummary task={task} rounds={rounds.data} />
      <TaskActions task={task} />
      <TaskActivity task={task} />
      <RoundPanel task={task} round={task.round} />
      {task.spec.mode.type === "buffered" && <BufferCard task={task} />}
      <GateCard task={task} />
      {task.spec.kind !== "train" && <MeasurementsCard task={task} />}
      <Suspicions task={task} />
      {rounds.isError && <LoadError error={rounds.error} retry={() => void rounds.refetch()} />}
      {!rounds.isError && task.spec.kind !== "telemetry" && (
        <CurvesSection rounds={rounds.data} versions={versions.data ?? []} />
      )}
      {rounds.data !== undefined && rounds.data.length > 0 && <FlowSection rounds={rounds.data} />}
      <RoundsCard
        rounds={rounds.data}
        onEnd={hasNextPage && !isFetchingNextPage ? () => void fetchNextPage() : undefined}
      />
    </div>
  );
}
