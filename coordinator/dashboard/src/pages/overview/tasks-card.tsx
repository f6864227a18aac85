import type { TaskActivityView, TaskView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { roundHref, TASKS, taskHref } from "../../addresses.ts";
import { formatCount, NONE } from "../../format/numbers.ts";
import { roundWords } from "../../model/round-progress.ts";
import { type Column, Table } from "../../ui/table.tsx";

interface Props {
  readonly tasks: readonly TaskView[];
  readonly activities: ReadonlyMap<string, TaskActivityView>;
}

/** Shown here; the page of tasks has all. */
const MOST = 8;

/** Every task and where it stands: those that run first. */
export function TasksCard({ tasks, activities }: Props): ReactNode {
  const sorted = [
    ...tasks.filter(({ state }) => state === "running"),
    ...tasks.filter(({ state }) => state !== "running"),
  ];
  const columns: readonly Column<TaskView>[] = [
    {
      title: "Task",
      cell: ({ name }) => (
        <span data-testid="task-line" data-task={name}>
          <Link className="row-link" href={taskHref(name)}>
            {name}
          </Link>
        </span>
      ),
    },
    {
      title: "State",
      text: true,
      cell: ({ state }) => (
        <span className="pill" data-state={state} data-testid="task-state">
          {state}
        </span>
      ),
    },
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
      title: "Devices",
      cell: ({ name }) => {
        const activity = activities.get(name);
        return activity === undefined ? NONE : formatCount(activity.checkedIn);
      },
    },
    {
      title: "Failed in a row",
      cell: ({ name }) => {
        const failures = activities.get(name)?.failures;
        if (failures === undefined) return NONE;
        return failures === 0 ? "0" : <span className="lost">{formatCount(failures)}</span>;
      },
    },
    { title: "Committed", cell: ({ roundsCommitted }) => formatCount(roundsCommitted) },
  ];
  return (
    <section className="card" aria-labelledby="overview-tasks">
      <div className="card-head">
        <h2 id="overview-tasks">Tasks</h2>
        <Link className="more-link card-more" href={TASKS}>
          All {formatCount(tasks.length)}
        </Link>
      </div>
      <Table
        label="Table of tasks"
        columns={columns}
        rows={sorted.slice(0, MOST)}
        keyOf={({ name }) => name}
      />
    </section>
  );
}
