import type { ModelView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { modelHref, MODELS } from "../../addresses.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { Table } from "../../ui/table.tsx";

/** Shown here; the page of models has all. */
const MOST = 6;

/** What of each model runs. */
export function ModelsCard({ models }: { readonly models: readonly ModelView[] }): ReactNode {
  const now = useServerNow(5_000);
  return (
    <section className="card" aria-labelledby="overview-models">
      <div className="card-head">
        <h2 id="overview-models">Models</h2>
        <Link className="more-link card-more" href={MODELS}>
          All {models.length}
        </Link>
      </div>
      <Table
        wide
        label="Table of models"
        columns={[
          {
            title: "Model",
            cell: ({ name }) => (
              <Link className="row-link" href={modelHref(name)}>
                {name}
              </Link>
            ),
          },
          { title: "Released", cell: ({ releasedVersion }) => releasedVersion },
          { title: "Newest", cell: ({ currentVersion }) => currentVersion },
          {
            title: "Last release",
            cell: ({ releasedAt }) => (
              <time dateTime={releasedAt} title={formatFull(releasedAt)}>
                {formatAgo(Date.parse(releasedAt), now)}
              </time>
            ),
          },
        ]}
        rows={models.slice(0, MOST)}
        keyOf={({ name }) => name}
      />
    </section>
  );
}
