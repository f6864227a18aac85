import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import type { PageProps } from "../../page-entry.ts";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { RolloutCard } from "../../view/rollout-card.tsx";

/** One rollout: its steps, what its gates find, and what can be done. */
export function RolloutPage({ params: { model = "", rollout = "" } }: PageProps): ReactNode {
  const rollouts = useQuery(useDashboard().queries.rollouts(model));
  return (
    <Loaded query={rollouts} loading={<PageSkeleton />}>
      {(list) => {
        const view = list.find((each) => each.rollout === rollout);
        return (
          <div className="page">
            {view === undefined ? (
              <Empty title="No such rollout" testId="no-such-rollout">
                <p>
                  Model <strong>{model}</strong> has no rollout called <strong>{rollout}</strong>.
                </p>
              </Empty>
            ) : (
              <>
                <div className="page-head">
                  <h1>Rollout {view.rollout}</h1>
                </div>
                <RolloutCard view={view} />
              </>
            )}
          </div>
        );
      }}
    </Loaded>
  );
}
