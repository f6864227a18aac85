import type { PolicyInput, PolicyView } from "@tributary/api-client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ALL_MODELS } from "../../data/permissions.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { policyState, policyWords } from "../../model/alert-words.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { CommandLine } from "../../ui/command-line.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { MoreButton } from "../../ui/more-button.tsx";

/** What the coordinator decides by itself, and what it decided, of the models that one sees. */
export function PolicyList(): ReactNode {
  const { queries } = useDashboard();
  const policies = useQuery(queries.policies());
  const decisions = useInfiniteQuery(queries.policyDecisions());
  const now = useServerNow(15_000);
  return (
    <>
      <section className="card stack" aria-labelledby="policies-title">
        <div className="card-head">
          <h2 id="policies-title">What is decided without an operator</h2>
        </div>
        <Loaded query={policies}>
          {(list) =>
            list.length === 0 ? (
              <p className="quiet">Nothing: operators start tasks and release versions.</p>
            ) : (
              <ul className="alerts">
                {list.map((policy) => (
                  <PolicyItem key={policy.name} policy={policy} changed={() => policies.refetch()} />
                ))}
              </ul>
            )
          }
        </Loaded>
        <CommandLine command="tributary policy set follow.json" />
      </section>
      <Loaded query={decisions}>
        {(list) =>
          list.length === 0 ? null : (
            <section className="card" aria-labelledby="decisions-title">
              <div className="card-head">
                <h2 id="decisions-title">Decided</h2>
              </div>
              <ul className="alerts">
                {list.map(({ policy, at, outcome, reason }) => (
                  <li className="alert" key={`${policy} ${at}`}>
                    <div className="alert-text">
                      <p className="alert-head">
                        <strong>{reason}</strong>
                        <span className="pill" data-state={outcome}>
                          {outcome}
                        </span>
                      </p>
                      <p className="alert-more">
                        {policy},{" "}
                        <time dateTime={at} title={formatFull(at)}>
                          {formatAgo(Date.parse(at), now)}
                        </time>
                      </p>
                    </div>
                  </li>
                ))}
              </ul>
              <MoreButton query={decisions}>Show older decisions</MoreButton>
            </section>
          )
        }
      </Loaded>
    </>
  );
}

function PolicyItem({
  policy,
  changed,
}: {
  readonly policy: PolicyView;
  readonly changed: () => Promise<unknown>;
}): ReactNode {
  const { name, enabled, dryRun, cooldownMs, budget, does, state, waitsUntil } = policy;
  const { data: tasks = [] } = useQuery(useDashboard().queries.tasks());
  const model = does.kind === "promote" ? does.model : tasks.find((task) => task.name === does.task)?.model;
  return (
    <li className="alert" data-testid="policy" data-policy={name}>
      <div className="alert-text">
        <p className="alert-head">
          <strong>{name}</strong>
          <span className="pill" data-state={state}>
            {policyState(policy)}
          </span>
        </p>
        <p>{policyWords(policy)}.</p>
        <p className="alert-more">
          {policy.decisionsInPeriod} decisions in its period
          {budget.decisions !== null && ` of ${budget.decisions}`}
          {waitsUntil !== null && `, waits until ${formatFull(waitsUntil)}`}
        </p>
      </div>
      <div className="alert-buttons">
        <ActionButton
          label={enabled ? "Stop" : "Enable"}
          title={`${enabled ? "Stop" : "Enable"} ${name}`}
          consequence={
            enabled
              ? "It decides nothing from now on. What it began goes on."
              : "It decides by itself again, from now on."
          }
          hurts={enabled}
          done={`${name} is ${enabled ? "stopped" : "enabled"}`}
          of={model ?? ALL_MODELS}
          testId={`switch-policy-${name}`}
          run={async (api) => {
            const document: PolicyInput = { name, dryRun, cooldownMs, budget, does };
            await api.setPolicy({ ...document, enabled: !enabled });
            await changed();
          }}
        />
      </div>
    </li>
  );
}
