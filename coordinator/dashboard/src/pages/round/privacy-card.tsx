import type { RoundView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatCount } from "../../format/numbers.ts";
import { secureLine, secureSteps } from "../../model/secure-line.ts";
import { Hint } from "../../ui/hint.tsx";
import { Table } from "../../ui/table.tsx";

/** What the coordinator could see of a device: the state of the secure sum, and whom each of its steps lost. */
export function PrivacyCard({ round }: { readonly round: RoundView }): ReactNode {
  const { data: status } = useQuery(useDashboard().queries.status());
  const { secure } = round;
  const word = secure === null ? "open" : secure.private ? "private" : "trial";
  return (
    <section className="card stack" aria-labelledby="privacy-title" data-testid="round-privacy">
      <div className="card-head">
        <h2 id="privacy-title">Secure aggregation</h2>
        <span className="pill" data-state={PILLS[word]} data-testid="round-private">
          {WORDS[word]}
        </span>
        <Hint about="secure aggregation">
          <p>
            Members hide their updates under masks that fall away only in the sum. It comes out when at least
            the threshold of them stay to the end; below it, nothing does.
          </p>
        </Hint>
      </div>
      <p className="quiet">{secureLine(round, status?.issuer)}</p>
      {secure !== null && (
        <>
          <dl className="counts secure-counts">
            <Count name="Cohort" value={secure.cohort} />
            <Count name="Threshold" value={secure.threshold} />
            <Count name="Survivors" value={secure.survivors} />
          </dl>
          <Table
            label="Steps of secure aggregation"
            columns={[
              { title: "Step", cell: ({ words }) => words },
              { title: "State", cell: ({ state }) => state },
              {
                title: "Lost",
                cell: ({ lost }) => (lost === 0 ? "0" : <span className="lost">{formatCount(lost)}</span>),
              },
            ]}
            rows={secureSteps(round)}
            keyOf={({ step }) => step}
          />
        </>
      )}
    </section>
  );
}

const WORDS = { open: "off", private: "private", trial: "a trial, not private" } as const;
const PILLS = { open: "paused", private: "passed", trial: "paused" } as const;

function Count({ name, value }: { readonly name: string; readonly value: number }): ReactNode {
  return (
    <div className="count">
      <dt>{name}</dt>
      <dd>{formatCount(value)}</dd>
    </div>
  );
}
