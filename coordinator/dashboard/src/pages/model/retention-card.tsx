import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { versionHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { retentionWords } from "../../model/retention-words.ts";
import { Loaded } from "../../ui/loaded.tsx";
import { RetentionButton } from "./retention-button.tsx";
import { VirtualTable } from "../../ui/virtual-table.tsx";

/** Which versions devices can download, and why they stay. */
export function RetentionCard({ model }: { readonly model: string }): ReactNode {
  const retention = useQuery(useDashboard().queries.retention(model));
  return (
    <section className="card stack" aria-labelledby="retention-title" data-testid="retention">
      <h2 id="retention-title">Retention</h2>
      <Loaded query={retention}>
        {({ rule, offered }) => (
          <>
            <p className="quiet">{retentionWords(rule, offered.length)}</p>
            <div>
              <RetentionButton key={JSON.stringify(rule)} model={model} rule={rule} />
            </div>
            <VirtualTable
              label="Versions that can be downloaded"
              columns={[
                {
                  title: "Version",
                  widthRem: 5,
                  cell: ({ version }) => (
                    <Link className="row-link" href={versionHref(model, version)}>
                      {version}
                    </Link>
                  ),
                },
                {
                  title: "Stays because of",
                  widthRem: 14,
                  cell: ({ reasons }) =>
                    reasons.length === 0 ? (
                      <span className="quiet">leaves with the next version</span>
                    ) : (
                      <span title={reasons.join(", ")}>{reasons.join(", ")}</span>
                    ),
                },
              ]}
              rows={offered}
              keyOf={({ version }) => version}
            />
          </>
        )}
      </Loaded>
    </section>
  );
}
