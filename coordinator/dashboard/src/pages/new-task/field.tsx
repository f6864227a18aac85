import { type ReactNode, useId } from "react";
import type { TaskDraft } from "../../model/task-draft.ts";

type TextField = {
  [Name in keyof TaskDraft]: TaskDraft[Name] extends boolean ? never : Name;
}[keyof TaskDraft];

export interface FieldContext {
  readonly draft: TaskDraft;
  readonly change: (changes: Partial<TaskDraft>) => void;
  /** What is wrong, by field. */
  readonly problems: Readonly<Partial<Record<keyof TaskDraft, string>>>;
}

interface Props {
  readonly context: FieldContext;
  readonly name: TextField;
  readonly label: string;
  readonly note?: ReactNode;
  /** Texts to choose from; others may be typed where `open`. */
  readonly options?: readonly string[];
  readonly open?: boolean;
  readonly numeric?: boolean;
}

/** One field of a step: what is wrong with it stands below it. */
export function Field({
  context,
  name,
  label,
  note,
  options,
  open = false,
  numeric = false,
}: Props): ReactNode {
  const id = useId();
  const { draft, change, problems } = context;
  const problem = problems[name];
  const shared = {
    id,
    value: String(draft[name]),
    "aria-invalid": problem !== undefined,
    "aria-describedby": `${id}-note`,
    "data-testid": `field-${name}`,
    onChange: (event: { readonly target: { readonly value: string } }) =>
      change({ [name]: event.target.value } as Partial<TaskDraft>),
  };
  return (
    <div className="entry">
      <label htmlFor={id}>{label}</label>
      {options !== undefined && !open ? (
        <select {...shared}>
          {options.map((option) => (
            <option key={option}>{option}</option>
          ))}
        </select>
      ) : (
        <>
          <input
            {...shared}
            inputMode={numeric ? "decimal" : "text"}
            spellCheck={false}
            autoComplete="off"
            list={options === undefined ? undefined : `${id}-options`}
          />
          {options !== undefined && (
            <datalist id={`${id}-options`}>
              {options.map((option) => (
                <option key={option} value={option}>
                  {option}
                </option>
              ))}
            </datalist>
          )}
        </>
      )}
      <p id={`${id}-note`} className={problem === undefined ? "quiet" : "field-problem"}>
        {problem ?? note}
      </p>
    </div>
  );
}

export function Toggle({
  context: { draft, change },
  name,
  label,
  note,
}: {
  readonly context: FieldContext;
  readonly name: "secure" | "gate";
  readonly label: string;
  readonly note: ReactNode;
}): ReactNode {
  return (
    <div className="entry entry-wide">
      <label className="choice">
        <input
          type="checkbox"
          checked={draft[name]}
          data-testid={`field-${name}`}
          onChange={() => change({ [name]: !draft[name] } as Partial<TaskDraft>)}
        />
        {label}
      </label>
      <p className="quiet">{note}</p>
    </div>
  );
}
