import type { AlertRuleView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { ALL_MODELS } from "../../data/permissions.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { durationWords, thresholdWords } from "../../model/alert-words.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { CommandLine } from "../../ui/command-line.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { type Column, Table } from "../../ui/table.tsx";

const COLUMNS: readonly Column<AlertRuleView>[] = [
  {
    title: "Rule",
    cell: ({ name, watches }) => (
      <>
        {name}
        <span className="rule-watches">{watches}</span>
      </>
    ),
  },
  {
    title: "State",
    text: true,
    cell: ({ state, problem }) => (
      <span className="pill" data-state={state}>
        {problem ?? state}
      </span>
    ),
  },
  { title: "Severity", text: true, cell: ({ severity }) => severity },
  { title: "Threshold", cell: (rule) => thresholdWords(rule) },
  { title: "For", cell: ({ forMs }) => (forMs === 0 ? "at once" : durationWords(forMs)) },
  { title: "From", text: true, cell: ({ origin }) => origin },
  { title: "", cell: (rule) => <Switch rule={rule} /> },
];

/** What is looked at. */
export function RuleList(): ReactNode {
  const query = useQuery(useDashboard().queries.alertRules());
  return (
    <section className="card stack" aria-labelledby="rules-title">
      <div className="card-head">
        <h2 id="rules-title">What is looked at</h2>
      </div>
      <Loaded query={query}>
        {(rules) => <Table label="Rules" columns={COLUMNS} rows={rules} keyOf={({ name }) => name} />}
      </Loaded>
      <p className="quiet">Another threshold, or a rule of your own, is a document:</p>
      <CommandLine command="tributary alerts rules show drift > drift.json && tributary alerts rules set drift.json" />
    </section>
  );
}

function Switch({ rule }: { readonly rule: AlertRuleView }): ReactNode {
  const { queries } = useDashboard();
  const { refetch } = useQuery(queries.alertRules());
  const { name, kind, enabled, severity, threshold, forMs, repeatMs, models, tasks, advice } = rule;
  return (
    <ActionButton
      label={enabled ? "Disable" : "Enable"}
      title={`${enabled ? "Disable" : "Enable"} ${name}`}
      consequence={
        enabled ? "It looks at nothing any more, and its alerts end." : "It is looked at again, from now on."
      }
      hurts={enabled}
      done={`${name} is ${enabled ? "disabled" : "enabled"}`}
      of={ALL_MODELS}
      testId={`switch-rule-${name}`}
      run={async (api) => {
        const document = { name, kind, severity, threshold, forMs, repeatMs, models, tasks, advice };
        await api.setAlertRule({ ...document, enabled: !enabled });
        await refetch();
      }}
    />
  );
}
