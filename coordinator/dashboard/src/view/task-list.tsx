import type { TaskView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { taskHref } from "../data/use-selected-task.ts";
import { isRunning } from "../model/round-progress.ts";

interface Props {
  readonly tasks: readonly TaskView[];
  readonly selected: string;
}

/** All tasks, when there are several. */
export function TaskList({ tasks, selected }: Props): ReactNode {
  return (
    <nav className="task-list" aria-label="Tasks" data-testid="task-list">
      <ul>
        {tasks.map((task) => (
          <li key={task.name}>
            <a href={taskHref(task.name)} aria-current={task.name === selected ? "page" : undefined}>
              <span className="task-list-name">{task.name}</span>
              <span className="task-list-more">
                {task.state === "running" && task.round !== null && isRunning(task.round)
                  ? `round ${task.round.number}, ${task.round.phase}`
                  : task.state}
              </span>
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
