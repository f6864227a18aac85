import type { AccessGrant } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useId } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { ALL_MODELS, ROLE_WORDS, ROLES } from "../../model/access-words.ts";
import { CrossIcon } from "../../ui/icons.tsx";

/** Roles, each of a model or of all, as they are put together. */
export function GrantFields({
  grants,
  onChange,
}: {
  readonly grants: readonly AccessGrant[];
  readonly onChange: (grants: readonly AccessGrant[]) => void;
}): ReactNode {
  const { data: models = [] } = useQuery(useDashboard().queries.models());
  const id = useId();
  const change = (at: number, change: Partial<AccessGrant>): void =>
    onChange(grants.map((grant, i) => (i === at ? { ...grant, ...change } : grant)));
  // A role may be of a model that is still to come.
  const names = [...new Set([...models.map(({ name }) => name), ...grants.map(({ model }) => model)])]
    .filter((name) => name !== ALL_MODELS)
    .toSorted();
  return (
    <fieldset className="grants" aria-describedby={`${id}-note`}>
      <legend>Roles</legend>
      {grants.map(({ role, model }, at) => (
        // What stands there is what it is: nothing else names a row.
        // oxlint-disable-next-line react/no-array-index-key
        <div className="grant" key={at}>
          <select
            aria-label={`Role ${at + 1}`}
            value={role}
            data-testid={`role-${at}`}
            onChange={(event) => change(at, { role: event.target.value as AccessGrant["role"] })}
          >
            {ROLES.map((each) => (
              <option key={each} value={each}>
                {each}
              </option>
            ))}
          </select>
          <span>of</span>
          <select
            aria-label={`Model of role ${at + 1}`}
            value={model}
            data-testid={`model-${at}`}
            onChange={(event) => change(at, { model: event.target.value })}
          >
            <option value={ALL_MODELS}>all models</option>
            {names.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
          {grants.length > 1 && (
            <button
              type="button"
              className="icon-button"
              aria-label={`Leave role ${at + 1} out`}
              onClick={() => onChange(grants.filter((_, i) => i !== at))}
            >
              <CrossIcon />
            </button>
          )}
        </div>
      ))}
      <div>
        <button
          type="button"
          className="more"
          data-testid="another-role"
          onClick={() => onChange([...grants, { role: "viewer", model: ALL_MODELS }])}
        >
          Another role
        </button>
      </div>
      <p className="quiet" id={`${id}-note`}>
        {ROLES.map((role) => `${role}: ${ROLE_WORDS[role]}`).join("; ")}.
      </p>
    </fieldset>
  );
}
