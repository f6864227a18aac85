import type { ModelView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { modelHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatCompact, formatCount } from "../../format/numbers.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { CommandLine } from "../../ui/command-line.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { type Column, Table } from "../../ui/table.tsx";

function columns(nowMs: number): readonly Column<ModelView>[] {
  return [
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
    { title: "Versions", cell: ({ versions }) => formatCount(versions) },
    { title: "Channels", text: true, cell: ({ channels }) => channels.map(({ name }) => name).join(", ") },
    { title: "Parameters", cell: ({ parameterCount }) => formatCompact(parameterCount) },
    {
      title: "Last release",
      cell: ({ releasedAt }) => (
        <time dateTime={releasedAt} title={formatFull(releasedAt)}>
          {formatAgo(Date.parse(releasedAt), nowMs)}
        </time>
      ),
    },
  ];
}

/** All models, and what of each runs. */
export function ModelsPage(): ReactNode {
  const models = useQuery(useDashboard().queries.models());
  const now = useServerNow(5_000);
  return (
    <Loaded query={models} loading={<PageSkeleton />}>
      {(list) => (
        <div className="page">
          {list.length === 0 ? (
            <Empty title="No model yet">
              <p>Publish one, exported as ONNX:</p>
              <CommandLine command="npx --yes pnpm@12 tributary publish model.onnx" />
            </Empty>
          ) : (
            <>
              <div className="page-head">
                <h1>Models</h1>
              </div>
              <section className="card" data-testid="models">
                <Table
                  label="Table of models"
                  columns={columns(now)}
                  rows={list}
                  keyOf={({ name }) => name}
                />
              </section>
            </>
          )}
        </div>
      )}
    </Loaded>
  );
}
