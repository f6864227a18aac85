import { type ReactNode, useId } from "react";
import { useLocation } from "wouter";
import { AUDIT } from "../../addresses.ts";
import { FILTERS, type FilterName } from "./audit-filter.ts";

interface Props {
  readonly search: URLSearchParams;
  /** Those in sight. */
  readonly actions: readonly string[];
}

/** What is looked for in the log. */
export function AuditFilters({ search, actions }: Props): ReactNode {
  const [, navigate] = useLocation();
  const set = (name: FilterName, value: string): void => {
    const next = new URLSearchParams(search);
    if (value === "") next.delete(name);
    else next.set(name, value);
    const query = next.toString();
    navigate(query === "" ? AUDIT : `${AUDIT}?${query}`, { replace: true });
  };
  const chosen = search.get("action") ?? "";
  const known = [...new Set([...actions, ...(chosen === "" ? [] : [chosen])])].sort();
  return (
    <search className="audit-filters" aria-label="Filters">
      <Choice
        name="actor"
        label="By"
        value={search.get("actor") ?? ""}
        options={["operator", "coordinator", "device"]}
        set={set}
      />
      <Choice name="action" label="Action" value={chosen} options={known} set={set} />
      <Text name="model" label="Model" value={search.get("model") ?? ""} set={set} />
      <Text name="task" label="Task" value={search.get("task") ?? ""} set={set} />
      <Text name="since" label="From" value={search.get("since") ?? ""} type="date" set={set} />
      <Text name="until" label="To" value={search.get("until") ?? ""} type="date" set={set} />
      {FILTERS.some((name) => search.has(name)) && (
        <button type="button" className="button" onClick={() => navigate(AUDIT, { replace: true })}>
          Show all
        </button>
      )}
    </search>
  );
}

interface FieldProps {
  readonly name: FilterName;
  readonly label: string;
  readonly value: string;
  readonly set: (name: FilterName, value: string) => void;
}

function Choice({
  name,
  label,
  value,
  options,
  set,
}: FieldProps & { readonly options: readonly string[] }): ReactNode {
  const field = useId();
  return (
    <label className="field" htmlFor={field}>
      {label}
      <select
        id={field}
        value={value}
        data-testid={`filter-${name}`}
        onChange={(event) => set(name, event.target.value)}
      >
        <option value="">any</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}

function Text({
  name,
  label,
  value,
  type = "text",
  set,
}: FieldProps & { readonly type?: "text" | "date" }): ReactNode {
  const field = useId();
  return (
    <label className="field" htmlFor={field}>
      {label}
      <input
        id={field}
        type={type}
        value={value}
        autoComplete="off"
        data-testid={`filter-${name}`}
        onChange={(event) => set(name, event.target.value)}
      />
    </label>
  );
}
