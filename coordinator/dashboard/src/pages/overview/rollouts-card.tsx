import type { RolloutView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { rolloutHref, ROLLOUTS } from "../../addresses.ts";
import { gatesInShort, ROLLOUT_STATES, rolloutStep } from "../../model/rollout-lines.ts";
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
  { title: "Model", text: true, cell: ({ model }) => model },
  { title: "Tries", cell: ({ arms }) => arms.map(({ version }) => version).join(", ") },
  { title: "Step", cell: rolloutStep },
  { title: "Gates", text: true, cell: gatesInShort },
];

/** The rollouts under way. Nothing while there is none. */
export function RolloutsCard({ rollouts }: { readonly rollouts: readonly RolloutView[] }): ReactNode {
  const open = rollouts.filter(({ state }) => state === "running" || state === "paused");
  if (open.length === 0) return null;
  return (
    <section className="card" aria-labelledby="overview-rollouts">
      <div className="card-head">
        <h2 id="overview-rollouts">Rollouts under way</h2>
        <Link className="more-link card-more" href={ROLLOUTS}>
          All {rollouts.length}
        </Link>
      </div>
      <Table
        label="Table of rollouts under way"
        columns={COLUMNS}
        rows={open}
        keyOf={({ model, rollout }) => `${model} ${rollout}`}
      />
    </section>
  );
}
