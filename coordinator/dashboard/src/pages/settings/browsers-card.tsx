import type { SignedInView } from "@tributary/api-client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo } from "../../format/time.ts";
import { browserWords } from "../../model/access-words.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { type Column, Table } from "../../ui/table.tsx";

const KEY = ["operator-sessions"];

/** The browsers that are signed in. @param all whether those of others are there too */
export function BrowsersCard({ all }: { readonly all: boolean }): ReactNode {
  const { operator } = useDashboard();
  const now = useServerNow(15_000);
  const query = useQuery<readonly SignedInView[]>({
    queryKey: KEY,
    queryFn: () => operator.run((api) => api.operatorSessions()),
    staleTime: 0,
  });
  const columns: readonly Column<SignedInView>[] = [
    {
      title: "Browser",
      cell: ({ agent, current }) => (
        <span className="browser" title={agent}>
          {browserWords(agent)} {current && <span className="pill pill-small">this one</span>}
        </span>
      ),
    },
    ...(all
      ? [
          {
            title: "Of",
            text: true,
            cell: ({ name, identityProvider }: SignedInView) =>
              identityProvider ? `${name}, by the identity provider` : name,
          },
        ]
      : []),
    { title: "From", text: true, cell: ({ address }) => address },
    { title: "Last seen", cell: ({ seenAt }) => formatAgo(Date.parse(seenAt), now) },
    { title: "Since", cell: ({ createdAt }) => formatAgo(Date.parse(createdAt), now) },
    { title: "", cell: (session) => !session.current && <EndButton session={session} /> },
  ];
  return (
    <section className="card stack" aria-labelledby="browsers-title" data-testid="browsers">
      <div className="card-head">
        <h2 id="browsers-title">{all ? "Browsers that are signed in" : "Your browsers"}</h2>
      </div>
      <Loaded query={query}>
        {(sessions) =>
          sessions.length === 0 ? (
            <p>No browser is signed in.</p>
          ) : (
            <Table label="Browsers" columns={columns} rows={sessions} keyOf={({ id }) => id} />
          )
        }
      </Loaded>
    </section>
  );
}

function EndButton({ session: { id, name, agent } }: { readonly session: SignedInView }): ReactNode {
  const client = useQueryClient();
  return (
    <ActionButton
      label="Sign out"
      title={`Sign ${name} out of ${browserWords(agent)}`}
      consequence="Whoever uses it has to sign in again. It takes effect at once."
      hurts
      done={`${browserWords(agent)} is signed out`}
      requires="view"
      testId={`end-session-${id}`}
      run={async (api) => client.setQueryData(KEY, await api.endOperatorSession(id))}
    />
  );
}
