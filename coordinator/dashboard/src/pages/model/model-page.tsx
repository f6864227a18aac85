import type { ModelView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useSearchParams } from "wouter";
import { rolloutHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useVersions } from "../../data/use-pages.ts";
import { formatCompact } from "../../format/numbers.ts";
import { formatPorts } from "../../format/ports.ts";
import { ROLLOUT_STATES, rolloutStep } from "../../model/rollout-lines.ts";
import type { PageProps } from "../../page-entry.ts";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { HealthCard } from "../../view/health-card.tsx";
import { ChannelsCard } from "./channels-card.tsx";
import { MetricsSection } from "./metrics-section.tsx";
import { ModelCard } from "./model-card.tsx";
import { RetentionCard } from "./retention-card.tsx";
import { VersionsCard } from "./versions-card.tsx";
import "./model.css";

/** One model: its versions, what is known of them, what points to them, and how they fare. */
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
  const [search] = useSearchParams();
  const versions = useVersions(model.name);
  const [rollout] = useQuery(queries.rollouts(model.name)).data ?? [];
  const asked = Number(search.get("version"));
  const chosen =
    Number.isSafeInteger(asked) && asked >= 1 && asked <= model.currentVersion
      ? asked
      : model.releasedVersion;
  return (
    <div className="page" data-testid="model" data-model={model.name}>
      <div className="page-head">
        <h1>{model.name}</h1>
        <p className="summary-note">
          {formatCompact(model.parameterCount)} parameters, in <code>{formatPorts(model.inputs)}</code>, out{" "}
          <code>{formatPorts(model.outputs)}</code>
        </p>
      </div>
      {rollout !== undefined && (rollout.state === "running" || rollout.state === "paused") && (
        <Link className="card rollout-line" href={rolloutHref(model.name, rollout.rollout)}>
          <span className="pill" data-state={rollout.state}>
            {ROLLOUT_STATES[rollout.state]}
          </span>
          <span>
            Rollout <strong>{rollout.rollout}</strong> tries version{" "}
            {rollout.arms.map(({ version }) => version).join(", ")} on {rollout.channel}: step{" "}
            {rolloutStep(rollout)}
          </span>
        </Link>
      )}
      <div className="columns model-columns">
        <VersionsCard model={model} versions={versions} chosen={chosen} />
        <ModelCard model={model.name} version={chosen} newest={model.currentVersion} />
      </div>
      <MetricsSection versions={versions.data ?? []} />
      <div className="columns">
        <ChannelsCard model={model} />
        <RetentionCard model={model.name} />
      </div>
      <HealthCard model={model.name} />
    </div>
  );
}
