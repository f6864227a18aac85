import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { taskHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { roundWords } from "../../model/round-progress.ts";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { NoTask } from "../tasks/no-task.tsx";

/** Whether anything is wrong, and what is under way. */
export function OverviewPage(): ReactNode {
  const tasks = useQuery(useDashboard().queries.tasks());
  return (
    <Loaded query={tasks} loading={<PageSkeleton />}>
      {(list) => (
        <div className="page">
          {list.length === 0 ? (
            <NoTask />
          ) : (
            <>
              <div className="page-head">
                <h1>Overview</h1>
              </div>
              <section className="card stack" aria-label="Tasks">
                {list.map((task) => (
                  <p key={task.name} data-testid="task-line" data-task={task.name}>
                    <Link className="row-link" href={taskHref(task.name)}>
                      {task.name}
                    </Link>{" "}
                    <span className="pill" data-state={task.state} data-testid="task-state">
                      {task.state}
                    </span>{" "}
                    {task.round !== null && `round ${roundWords(task.round)}`}
                  </p>
                ))}
              </section>
            </>
          )}
        </div>
      )}
    </Loaded>
  );
}
