import { type ReactNode, useMemo, useState } from "react";
import { useLocation, useSearchParams } from "wouter";
import { taskHref } from "../../addresses.ts";
import { documentOf, EMPTY_DRAFT, STEPS, stepOf, type TaskDraft } from "../../model/task-draft.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { CommandLine } from "../../ui/command-line.tsx";
import { commandOf } from "../../model/task-draft.ts";
import { save } from "../../ui/chart-frame.tsx";
import { EstimateStep } from "./estimate-step.tsx";
import type { FieldContext } from "./field.tsx";
import { DevicesStep, LearningStep, ModelStep, ProtectionStep } from "./steps.tsx";
import { useValidation } from "./use-validation.ts";
import "./new-task.css";

/** A new task, step by step. Nothing is made before the last one. */
export function NewTaskPage(): ReactNode {
  const [address, setAddress] = useSearchParams();
  const [draft, setDraft] = useState<TaskDraft>(() => {
    const model = address.get("model") ?? "";
    return { ...EMPTY_DRAFT, model, name: model };
  });
  const document = useMemo(() => documentOf(draft), [draft]);
  const { state, problems, other } = useValidation(document, draft.name !== "" && draft.model !== "");
  const index = Math.max(
    0,
    STEPS.findIndex(({ id }) => id === address.get("step")),
  );
  const step = STEPS[index]!;
  const go = (to: number): void =>
    setAddress((was) => {
      const next = new URLSearchParams(was);
      next.set("step", STEPS[to]!.id);
      return next;
    });
  const context: FieldContext = {
    draft,
    problems,
    change: (changes) => setDraft((was) => named({ ...was, ...changes }, changes)),
  };
  const wrongSteps = new Set(Object.keys(problems).map((field) => stepOf(field as keyof TaskDraft).id));
  return (
    <div className="page">
      <div className="page-head">
        <h1>New task</h1>
        <ValidationNote state={state} />
      </div>
      <nav aria-label="Steps">
        <ol className="wizard-steps">
          {STEPS.map(({ id, title }, i) => (
            <li key={id}>
              <button
                type="button"
                aria-current={i === index ? "step" : undefined}
                data-wrong={wrongSteps.has(id) || undefined}
                data-testid={`step-${id}`}
                onClick={() => go(i)}
              >
                <span className="wizard-number">{i + 1}</span> {title}
              </button>
            </li>
          ))}
        </ol>
      </nav>
      <section className="card stack" aria-labelledby="step-title">
        <h2 id="step-title">{step.title}</h2>
        {other !== undefined && (
          <p role="alert" className="field-problem" data-testid="other-problem">
            {other}
          </p>
        )}
        <div className="fields">
          {step.id === "model" && <ModelStep context={context} />}
          {step.id === "learning" && <LearningStep context={context} />}
          {step.id === "devices" && <DevicesStep context={context} />}
          {step.id === "protection" && <ProtectionStep context={context} />}
          {step.id === "estimate" && <EstimateStep document={document} />}
          {step.id === "review" && <Review document={document} draft={draft} valid={state !== "wrong"} />}
        </div>
        <div className="wizard-buttons">
          {index > 0 && (
            <button type="button" onClick={() => go(index - 1)}>
              Back
            </button>
          )}
          {index < STEPS.length - 1 && (
            <button
              type="button"
              className="button main"
              data-testid="next-step"
              onClick={() => go(index + 1)}
            >
              Next: {STEPS[index + 1]!.title}
            </button>
          )}
        </div>
      </section>
    </div>
  );
}

/** A task is called after its model, until somebody says otherwise. */
function named(draft: TaskDraft, changes: Partial<TaskDraft>): TaskDraft {
  if (changes.model === undefined || draft.name !== "") return draft;
  return { ...draft, name: changes.model };
}

function ValidationNote({ state }: { readonly state: ReturnType<typeof useValidation>["state"] }): ReactNode {
  const words = {
    empty: "Choose a model and a name",
    checking: "Checking…",
    valid: "The coordinator would take it",
    wrong: "Something has to be changed",
    unknown: "It is checked when it is started",
  } as const;
  return (
    <output
      className="pill"
      data-state={state === "valid" ? "passed" : state === "wrong" ? "failed" : undefined}
      data-testid="validation"
    >
      {words[state]}
    </output>
  );
}

function Review({
  document,
  draft,
  valid,
}: {
  readonly document: object;
  readonly draft: TaskDraft;
  readonly valid: boolean;
}): ReactNode {
  const [, navigate] = useLocation();
  const text = JSON.stringify(document, null, 2);
  return (
    <div className="entry-wide stack">
      <p>This is the whole task; what it does not say is as the coordinator has it.</p>
      <pre className="document" data-testid="task-document">
        {text}
      </pre>
      <div className="wizard-buttons">
        <button type="button" onClick={() => save("task.json", `${text}\n`, "application/json")}>
          Save task.json
        </button>
        <ActionButton
          label="Start the task"
          consequence={
            <p>
              Devices of the population “{draft.population}” are asked to train {draft.model} from now on
              {draft.rounds === "" ? ", until it is paused" : `, for ${draft.rounds} rounds`}.{" "}
              {draft.secure
                ? "Their updates are summed under masks."
                : "Each update is seen by the coordinator."}
            </p>
          }
          done={`${draft.name} has begun.`}
          disabled={!valid || draft.name === "" || draft.model === ""}
          testId="start-task"
          run={async (api) => {
            await api.createTask(document as Parameters<typeof api.createTask>[0]);
            navigate(taskHref(draft.name));
          }}
        />
      </div>
      <h3>The same from a terminal</h3>
      <CommandLine command={commandOf(document)} />
    </div>
  );
}
