import type { ModelCard as Card } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useId } from "react";
import { useLocation } from "wouter";
import { versionHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatFull } from "../../format/time.ts";
import { cardLines } from "../../model/card-lines.ts";
import { LoadError } from "../../ui/load-error.tsx";
import { CardSkeleton } from "../../ui/skeleton.tsx";

interface Props {
  readonly model: string;
  readonly version: number;
  readonly newest: number;
}

/** What is known of a version, for whoever is to use it; the address says which. */
export function ModelCard({ model, version, newest }: Props): ReactNode {
  const [, navigate] = useLocation();
  const field = useId();
  return (
    <section className="card stack" aria-labelledby="model-card-title" data-testid="model-card">
      <div className="card-head">
        <h2 id="model-card-title">Model card</h2>
        <label className="card-version" htmlFor={field}>
          Version{" "}
          <input
            id={field}
            type="number"
            min={1}
            max={newest}
            value={version}
            onChange={({ target: { valueAsNumber: asked } }) => {
              if (asked >= 1 && asked <= newest) navigate(versionHref(model, asked), { replace: true });
            }}
          />
        </label>
      </div>
      <CardOf key={version} model={model} version={version} />
    </section>
  );
}

function CardOf({ model, version }: { readonly model: string; readonly version: number }): ReactNode {
  const { queries } = useDashboard();
  const card = useQuery(queries.card(model, version));
  if (card.data === undefined) {
    return card.isError ? (
      <LoadError error={card.error} retry={() => void card.refetch()} />
    ) : (
      <CardSkeleton />
    );
  }
  return (
    <>
      <Notes {...card.data} />
      <dl className="facts">
        {cardLines(card.data).map(({ term, words, more }) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>
              {words}
              {more !== undefined && <small>{more}</small>}
            </dd>
          </div>
        ))}
      </dl>
      <p className="quiet card-links">
        <a href={`/v1/models/${model}/versions/${version}/card.md`}>As Markdown</a>,{" "}
        <a href={`/v1/models/${model}/versions/${version}/card`}>as JSON</a>
      </p>
    </>
  );
}

/** What operators wrote, as text: whatever is in it, nothing of it is markup here. */
function Notes({ model, notes, updatedAt }: Card): ReactNode {
  if (notes === null)
    return (
      <p className="quiet">
        Nobody has written yet what it is for:{" "}
        <code>tributary model card-notes {model} --intended-use …</code>
      </p>
    );
  const { intendedUse, limitations, licence, contacts } = notes;
  const about = [licence, ...contacts].filter((each) => each !== "").join(", ");
  return (
    <div
      className="notes"
      data-testid="card-notes"
      title={updatedAt === null ? undefined : formatFull(updatedAt)}
    >
      {intendedUse !== "" && <p>{intendedUse}</p>}
      {limitations !== "" && (
        <p>
          <strong>Limitations:</strong> {limitations}
        </p>
      )}
      {about !== "" && <p className="quiet">{about}</p>}
    </div>
  );
}
