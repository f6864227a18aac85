import type { RolloutView } from "@tributary/api-client";
import { useQueries, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { modelHref, rolloutHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { ROLLOUT_STATES, rolloutStep } from "../../model/rollout-lines.ts";
import { CommandLine } from "../../ui/command-line.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { type Column, Table } from "../../ui/table.tsx";

const COLUMNS: readonly Column<RolloutView>[] = [
  {
    title: "Rollout",
    cell: ({ model, rollout }) => (
      <Link className="row-link" href={rolloutHref(model, rollout)}>
        {rollout}
      </Link>
    ),
  },
  {
    title: "State",
    text: true,
    cell: ({ state }) => (
      <span className="pill" data-state={state}>
        {ROLLOUT_STATES[state]}
      </span>
    ),
  },
  {
    title: "Model",
    text: true,
    cell: ({ model }) => (
      <Link className="row-link" href={modelHref(model)}>
        {model}
      </Link>
    ),
  },
  { title: "Channel", text: true, cell: ({ channel }) => channel },
  { title: "Tries", cell: ({ arms }) => arms.map(({ version }) => version).join(", ") },
  { title: "Against", cell: ({ control }) => control },
  { title: "Step", text: true, cell: rolloutStep },
];

/** Every rollout of every model: those under way first. */
export function RolloutsPage(): ReactNode {
  const { queries } = useDashboard();
  const models = useQuery(queries.models());
  return (
    <Loaded query={models} loading={<PageSkeleton />}>
      {(list) => <Rollouts models={list.map(({ name }) => name)} />}
    </Loaded>
  );
}

function Rollouts({ models }: { readonly models: readonly string[] }): ReactNode {
  const { queries } = useDashboard();
  const lists = useQueries({ queries: models.map((model) => queries.rollouts(model)) });
  if (lists.some(({ data, isError }) => data === undefined && !isError)) return <PageSkeleton />;
  const rollouts = lists.flatMap(({ data = [] }) => data);
  const open = (state: RolloutView["state"]): boolean => state === "running" || state === "paused";
  const sorted = [
    ...rollouts.filter(({ state }) => open(state)),
    ...rollouts.filter(({ state }) => !open(state)),
  ];
  return (
    <div className="page">
      {sorted.length === 0 ? (
        <Empty title="No rollout yet">
          <p>
            A rollout gives a version to some devices first, watches how they fare, and takes it back by
            itself where it does worse:
          </p>
          <CommandLine command="npx --yes pnpm@12 tributary rollout start digits --arm 7" />
        </Empty>
      ) : (
        <>
          <div className="page-head">
            <h1>Rollouts</h1>
          </div>
          <section className="card" data-testid="rollouts">
            <Table
              label="Table of rollouts"
              columns={COLUMNS}
              rows={sorted}
              keyOf={({ model, rollout }) => `${model} ${rollout}`}
            />
          </section>
        </>
      )}
    </div>
  );
}
