import type { TaskView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { NEW_TASK, modelHref, roundHref, taskHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useCan } from "../../data/permissions.ts";
import { formatCount, NONE } from "../../format/numbers.ts";
import { roundWords } from "../../model/round-progress.ts";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { NoTask } from "./no-task.tsx";

const COLUMNS: readonly Column<TaskView>[] = [
  {
    title: "Task",
    cell: ({ name }) => (
      <Link className="row-link" href={taskHref(name)}>
        {name}
      </Link>
    ),
  },
  {
    title: "State",
    text: true,
    cell: ({ state }) => (
      <span className="pill" data-state={state}>
        {state}
      </span>
    ),
  },
  {
    title: "Model",
    text: true,
    cell: ({ model }) => (
      <Link className="row-link" href={modelHref(model)}>
        {model}
      </Link>
    ),
  },
  { title: "Version", cell: ({ currentVersion }) => currentVersion },
  { title: "Kind", text: true, cell: ({ spec }) => spec.kind },
  {
    title: "Round",
    cell: ({ name, round }) =>
      round === null ? (
        NONE
      ) : (
        <Link className="row-link" href={roundHref(name, round.number)}>
          {roundWords(round)}
        </Link>
      ),
  },
  {
    title: "Committed",
    cell: ({ roundsCommitted, spec }) => (
      <>
        {formatCount(roundsCommitted)}
        {spec.rounds !== null && <span className="of"> of {formatCount(spec.rounds)}</span>}
      </>
    ),
  },
];

/** All tasks and where each stands. */
export function TasksPage(): ReactNode {
  const can = useCan();
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
                <h1>Tasks</h1>
                {can("operate") && (
                  <Link className="button main" href={NEW_TASK}>
                    New task
                  </Link>
                )}
              </div>
              <section className="card" data-testid="tasks">
                <Table label="Table of tasks" columns={COLUMNS} rows={list} keyOf={({ name }) => name} />
              </section>
            </>
          )}
        </div>
      )}
    </Loaded>
  );
}
