import type { RolloutView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { modelHref, versionHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatCount } from "../../format/numbers.ts";
import { formatFull } from "../../format/time.ts";
import { ROLLOUT_STATES } from "../../model/rollout-lines.ts";
import type { PageProps } from "../../page-entry.ts";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { Table } from "../../ui/table.tsx";
import { RolloutCard } from "./rollout-card.tsx";
import "./rollout.css";

const ARM_STATES = {
  tried: "tried",
  withdrawn: "withdrawn",
  released: "released",
  "not-released": "not released",
} as const satisfies Record<RolloutView["arms"][number]["state"], string>;

/** One rollout: its steps, what its gates find, and what can be done. */
export function RolloutPage({ params: { model = "", rollout = "" } }: PageProps): ReactNode {
  const rollouts = useQuery(useDashboard().queries.rollouts(model));
  return (
    <Loaded query={rollouts} loading={<PageSkeleton />}>
      {(list) => {
        const view = list.find((each) => each.rollout === rollout);
        if (view !== undefined) return <Rollout view={view} />;
        return (
          <div className="page">
            <Empty title="No such rollout" testId="no-such-rollout">
              <p>
                Model <strong>{model}</strong> has no rollout called <strong>{rollout}</strong>.
              </p>
            </Empty>
          </div>
        );
      }}
    </Loaded>
  );
}

function Rollout({ view }: { readonly view: RolloutView }): ReactNode {
  return (
    <div className="page">
      <div className="page-head">
        <h1>Rollout {view.rollout}</h1>
        <p className="summary-note">
          of model{" "}
          <Link className="row-link" href={modelHref(view.model)}>
            {view.model}
          </Link>{" "}
          on channel <strong>{view.channel}</strong>, begun {formatFull(view.createdAt)}
          {view.endedAt !== null && `, ${ROLLOUT_STATES[view.state]} ${formatFull(view.endedAt)}`}
        </p>
      </div>
      <RolloutCard view={view} />
      <section className="card" aria-labelledby="arms-title" data-testid="rollout-arms">
        <h2 id="arms-title">Versions in it</h2>
        <Table
          label="Table of versions in the rollout"
          columns={[
            { title: "Arm", cell: ({ name }) => name },
            {
              title: "Version",
              cell: ({ version }) => (
                <Link className="row-link" href={versionHref(view.model, version)}>
                  {version}
                </Link>
              ),
            },
            { title: "State", text: true, cell: ({ words }) => words },
            { title: "Devices watched", cell: ({ devices }) => formatCount(devices) },
          ]}
          rows={[
            ...view.arms.map(({ state, reason, ...arm }) => ({
              ...arm,
              words: reason === null ? ARM_STATES[state] : `${ARM_STATES[state]}: ${reason.message}`,
            })),
            {
              name: "control",
              version: view.control,
              words: "what the others run",
              devices: view.controlDevices,
            },
          ]}
          keyOf={({ name }) => name}
        />
      </section>
    </div>
  );
}
