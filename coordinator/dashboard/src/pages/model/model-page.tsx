import type { ModelView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatPorts } from "../../format/ports.ts";
import type { PageProps } from "../../page-entry.ts";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { HealthCard } from "../../view/health-card.tsx";
import { ModelCard } from "../../view/model-card.tsx";
import { RolloutCard } from "../../view/rollout-card.tsx";
import { VersionsCard } from "../../view/versions-card.tsx";

/** One model: its versions, what is known of them, and how they fare. */
export function ModelPage({ params: { model: name = "" } }: PageProps): ReactNode {
  const models = useQuery(useDashboard().queries.models());
  return (
    <Loaded query={models} loading={<PageSkeleton />}>
      {(list) => {
        const model = list.find((each) => each.name === name);
        if (model !== undefined) return <Model model={model} />;
        return (
          <div className="page">
            <Empty title="No such model" testId="no-such-model">
              <p>
                There is no model called <strong>{name}</strong>.
              </p>
            </Empty>
          </div>
        );
      }}
    </Loaded>
  );
}

function Model({ model }: { readonly model: ModelView }): ReactNode {
  const { queries } = useDashboard();
  const [rollout] = useQuery(queries.rollouts(model.name)).data ?? [];
  return (
    <div className="page" data-testid="model" data-model={model.name}>
      <div className="page-head">
        <h1>{model.name}</h1>
        <p className="summary-note">
          in <code>{formatPorts(model.inputs)}</code>, out <code>{formatPorts(model.outputs)}</code>
        </p>
      </div>
      {rollout !== undefined && <RolloutCard view={rollout} />}
      <div className="columns">
        <VersionsCard model={model.name} current={model.currentVersion} />
        <ModelCard model={model.name} />
      </div>
      <HealthCard model={model.name} />
    </div>
  );
}
