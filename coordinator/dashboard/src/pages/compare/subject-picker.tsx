import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useId, useState } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { CrossIcon } from "../../ui/icons.tsx";

const MOST = 6;

/** Names of what is compared: each can be taken out, others are added by their names. */
export function SubjectPicker({
  chosen,
  onChoose,
}: {
  readonly chosen: readonly string[];
  readonly onChoose: (names: readonly string[]) => void;
}): ReactNode {
  const { queries } = useDashboard();
  const tasks = useQuery(queries.tasks());
  const models = useQuery(queries.models());
  const [text, setText] = useState("");
  const id = useId();
  const known = [
    ...(tasks.data ?? []).map(({ name }) => name),
    ...(models.data ?? []).flatMap(({ name, aliases, currentVersion }) => [
      `${name}@${currentVersion}`,
      ...aliases.map((alias) => `${name}@${alias.name}`),
    ]),
  ].filter((name) => !chosen.includes(name));
  return (
    <form
      className="card picker"
      onSubmit={(event) => {
        event.preventDefault();
        const name = text.trim();
        if (name === "" || chosen.includes(name)) return;
        onChoose([...chosen, name]);
        setText("");
      }}
    >
      <ul className="picked" aria-label="Chosen">
        {chosen.map((name, i) => (
          <li key={name} className="picked-name" data-series={i + 1}>
            {name}
            <button
              type="button"
              className="icon-button"
              aria-label={`Take ${name} out`}
              onClick={() => onChoose(chosen.filter((each) => each !== name))}
            >
              <CrossIcon />
            </button>
          </li>
        ))}
      </ul>
      {chosen.length < MOST && (
        <div className="picker-add">
          <label className="visually-hidden" htmlFor={id}>
            Task or version to add
          </label>
          <input
            id={id}
            list={`${id}-known`}
            value={text}
            placeholder="task, or model@version"
            pattern="[a-z0-9][a-z0-9\-]*(@[a-z0-9][a-z0-9\-]*)?"
            data-testid="add-subject"
            onChange={(event) => setText(event.target.value)}
          />
          <datalist id={`${id}-known`}>
            {known.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </datalist>
          <button type="submit">Add</button>
        </div>
      )}
    </form>
  );
}
