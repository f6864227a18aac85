import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import type { PageProps } from "../../page-entry.ts";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { RoundPanel } from "../../view/round-panel.tsx";

/** How one round went, or goes. */
export function RoundPage({ params: { task: name = "", round: number = "" } }: PageProps): ReactNode {
  const { queries } = useDashboard();
  const tasks = useQuery(queries.tasks());
  const round = useQuery(queries.round(name, Number(number)));
  return (
    <Loaded query={tasks} loading={<PageSkeleton />}>
      {(list) => (
        <Loaded query={round} loading={<PageSkeleton />}>
          {(found) => {
            const task = list.find((each) => each.name === name);
            return (
              <div className="page">
                {task === undefined || found === null ? (
                  <Empty title="No such round" testId="no-such-round">
                    <p>
                      Task <strong>{name}</strong> has no round {number}.
                    </p>
                  </Empty>
                ) : (
                  <>
                    <div className="page-head">
                      <h1>Round {found.number}</h1>
                    </div>
                    <RoundPanel task={task} round={found} />
                  </>
                )}
              </div>
            );
          }}
        </Loaded>
      )}
    </Loaded>
  );
}
