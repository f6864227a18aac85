import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatFull } from "../../format/time.ts";
import { silenceWords } from "../../model/alert-words.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { Table } from "../../ui/table.tsx";

/** What is told to nobody for a time. */
export function SilenceList(): ReactNode {
  const query = useQuery(useDashboard().queries.silences());
  return (
    <section className="card" aria-labelledby="silences-title">
      <div className="card-head">
        <h2 id="silences-title">Silences</h2>
      </div>
      <Loaded query={query}>
        {(silences) =>
          silences.length === 0 ? (
            <p className="quiet">
              All that fires is told. An alert that fires has a button to silence its rule.
            </p>
          ) : (
            <Table
              label="Silences"
              columns={[
                { title: "Of", cell: (silence) => silenceWords(silence) },
                {
                  title: "State",
                  text: true,
                  cell: ({ state }) => (
                    <span className="pill" data-state={state}>
                      {state}
                    </span>
                  ),
                },
                { title: "Until", cell: ({ endsAt }) => formatFull(endsAt) },
                { title: "By", text: true, cell: ({ by }) => by },
                { title: "Why", text: true, cell: ({ comment }) => comment },
                {
                  title: "",
                  cell: ({ id, state }) =>
                    state === "ended" ? null : (
                      <ActionButton
                        label="End"
                        title="End the silence"
                        consequence="What matches it and fires is told from now on."
                        done="The silence has ended"
                        testId={`end-silence-${id}`}
                        run={async (api) => {
                          await api.endSilence(id);
                          await query.refetch();
                        }}
                      />
                    ),
                },
              ]}
              rows={silences}
              keyOf={({ id }) => id}
            />
          )
        }
      </Loaded>
    </section>
  );
}
