import type { TaskView } from "@tributary/api-client";
import { type ReactNode, useId, useState } from "react";
import { isRunning } from "../../model/round-progress.ts";
import { ActionButton } from "../../ui/action-button.tsx";

/** What can be done with a task now. */
export function TaskActions({ task }: { readonly task: TaskView }): ReactNode {
  return (
    <div className="actions">
      {task.state === "running" ? <Pause task={task} /> : <Resume task={task} />}
      {task.state !== "running" && task.spec.kind === "train" && task.currentVersion > 1 && (
        <Reset task={task} />
      )}
    </div>
  );
}

function Pause({ task: { name, model, round } }: { readonly task: TaskView }): ReactNode {
  const underWay = round !== null && isRunning(round);
  return (
    <ActionButton
      label="Pause"
      title={`Pause ${name}`}
      hurts={underWay}
      consequence={
        <p>
          {underWay ? (
            <>
              <strong>Round {round.number} is abandoned</strong>: what its devices trained is lost. No other
              begins until the task goes on.
            </>
          ) : (
            "No round begins until the task goes on."
          )}{" "}
          Versions stay as they are.
        </p>
      }
      done={`Task ${name} is paused.`}
      of={model}
      testId="task-pause"
      run={(api) => api.setTaskState(name, { state: "paused" })}
    />
  );
}

function Resume({ task }: { readonly task: TaskView }): ReactNode {
  const { name, model, state, roundsCommitted, spec, currentVersion } = task;
  const finished = state === "finished" || (spec.rounds !== null && roundsCommitted >= spec.rounds);
  const field = useId();
  const [more, setMore] = useState(10);
  return (
    <ActionButton
      label={finished ? "Run more rounds" : "Start"}
      title={finished ? `Run more rounds of ${name}` : `Start ${name}`}
      consequence={
        <p>
          Rounds begin again as soon as enough devices have checked in, from{" "}
          <strong>version {currentVersion}</strong>.
        </p>
      }
      done={`Task ${name} runs.`}
      of={model}
      testId="task-start"
      run={(api) => api.setTaskState(name, { state: "running", ...(finished ? { moreRounds: more } : {}) })}
    >
      {finished && (
        <label className="field" htmlFor={field}>
          Rounds beyond the {roundsCommitted} committed
          <input
            id={field}
            type="number"
            min={1}
            max={1_000_000}
            required
            value={more}
            onChange={(event) => setMore(event.target.valueAsNumber)}
          />
        </label>
      )}
    </ActionButton>
  );
}

function Reset({ task: { name, model, currentVersion } }: { readonly task: TaskView }): ReactNode {
  const field = useId();
  const [version, setVersion] = useState(Math.max(1, currentVersion - 1));
  return (
    <ActionButton
      label="Reset"
      title={`Reset ${name} to an earlier version`}
      confirm={`Reset to version ${version}`}
      hurts
      consequence={
        <p>
          Training of <strong>{model}</strong> goes on from the version you name, with what its server
          optimizer remembered then. Later versions stay, and what is released stays released, but nothing is
          trained from them any more.
        </p>
      }
      done={`Task ${name} goes on from version ${version}.`}
      of={model}
      testId="task-reset"
      run={(api) => api.resetTask(name, version)}
    >
      <label className="field" htmlFor={field}>
        Version, before {currentVersion}
        <input
          id={field}
          type="number"
          min={1}
          max={currentVersion - 1}
          required
          value={version}
          onChange={(event) => setVersion(event.target.valueAsNumber)}
        />
      </label>
    </ActionButton>
  );
}
