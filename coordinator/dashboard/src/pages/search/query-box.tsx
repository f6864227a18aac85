import type { SearchField } from "@tributary/api-client";
import { type ReactNode, useId, useMemo, useRef, useState } from "react";
import { suggestionsFor } from "../../model/search-suggestions.ts";
import { Hint } from "../../ui/hint.tsx";

interface Props {
  readonly query: string;
  readonly fields: readonly SearchField[];
  /** Where it cannot be read, from 1. */
  readonly column: number | undefined;
  readonly problem: string | undefined;
  readonly onQuery: (query: string) => void;
}

/** The query as it is typed, with what may come next; Enter looks for it. */
export function QueryBox({ query, fields, column, problem, onQuery }: Props): ReactNode {
  const [text, setText] = useState(query);
  const input = useRef<HTMLInputElement>(null);
  const id = useId();
  const suggestions = useMemo(() => suggestionsFor(text, fields), [text, fields]);
  const isRead = text.trim() === query;
  return (
    <search>
      <form
        className="query"
        onSubmit={(event) => {
          event.preventDefault();
          onQuery(text.trim());
        }}
      >
        <div className="query-row">
          <label className="visually-hidden" htmlFor={id}>
            Query
          </label>
          <input
            ref={input}
            id={id}
            className="query-input"
            type="search"
            spellCheck={false}
            autoCapitalize="off"
            autoComplete="off"
            maxLength={1_000}
            placeholder="accuracy > 0.95 and strategy = fedAdam"
            value={text}
            aria-invalid={problem !== undefined && isRead}
            aria-describedby={`${id}-problem`}
            data-testid="query"
            onChange={(event) => setText(event.target.value)}
          />
          <button type="submit" className="button main">
            Search
          </button>
          <Hint about="queries">
            <p>
              A field, an operator and a value: <code>accuracy &gt; 95%</code>, <code>model ~ "dig"</code>,{" "}
              <code>version in (3, 4)</code>, <code>created &gt; 7d ago</code>, <code>gate = none</code>. Join
              them with and, or, not and parentheses.
            </p>
          </Hint>
        </div>
        <p id={`${id}-problem`} className="field-problem" role="alert">
          {problem !== undefined && isRead && (
            <>
              <code className="query-place">
                {query.slice(Math.max(0, (column ?? 1) - 13), (column ?? 1) - 1)}
                <mark>{query.slice((column ?? 1) - 1, (column ?? 1) + 11) || "·"}</mark>
              </code>{" "}
              column {column}: {problem}
            </>
          )}
        </p>
        {suggestions.length > 0 && (
          <ul className="suggestions" aria-label="What may come next">
            {suggestions.map(({ text: word, note, query: next }) => (
              <li key={word}>
                <button
                  type="button"
                  title={note}
                  onClick={() => {
                    setText(next);
                    input.current?.focus();
                  }}
                >
                  {word}
                </button>
              </li>
            ))}
          </ul>
        )}
      </form>
    </search>
  );
}
