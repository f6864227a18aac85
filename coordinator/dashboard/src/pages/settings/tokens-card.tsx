import type { AccessGrant, ApiTokenCreated, ApiTokenView, SessionView } from "@tributary/api-client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { useWhoAmI } from "../../data/session-context.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { grantsWords, idleWords, tokenEnds, tokenOwner } from "../../model/access-words.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { CommandLine } from "../../ui/command-line.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { AccessField } from "../sign-in/access-field.tsx";
import { GrantFields } from "./grant-fields.tsx";

const KEY = ["api-tokens"];
/** How long a token is good for; null: until it is revoked. */
const DAYS = [7, 30, 90, 365, null] as const;

type Principal = NonNullable<SessionView["principal"]>;

/** What programs sign in with: one's own, or, for admins of all models, everybody's. */
export function TokensCard({
  principal,
  all,
}: {
  readonly principal: Principal;
  readonly all: boolean;
}): ReactNode {
  const { operator } = useDashboard();
  const now = useServerNow(15_000);
  const [made, setMade] = useState<ApiTokenCreated>();
  const query = useQuery<readonly ApiTokenView[]>({
    queryKey: KEY,
    queryFn: () => operator.run((api) => api.apiTokens()),
    staleTime: 0,
  });
  const columns: readonly Column<ApiTokenView>[] = [
    { title: "Token", cell: ({ label }) => label },
    ...(all ? [{ title: "Of", text: true, cell: tokenOwner }] : []),
    { title: "Roles", text: true, cell: ({ grants }) => grantsWords(grants) },
    { title: "Good", text: true, cell: (token) => tokenEnds(token, now) },
    { title: "Used", cell: ({ usedAt }) => (usedAt === null ? "never" : formatAgo(Date.parse(usedAt), now)) },
    { title: "", cell: (token) => <RevokeButton token={token} /> },
  ];
  return (
    <section className="card stack" aria-labelledby="tokens-title" data-testid="tokens">
      <div className="card-head">
        <h2 id="tokens-title">{all ? "Tokens for programs" : "Your tokens for programs"}</h2>
        <div className="card-actions">
          <MakeButton principal={principal} onMade={setMade} />
        </div>
      </div>
      {made !== undefined && (
        <output className="made-token" data-testid="made-token">
          <p>
            This is the token for <strong>{made.view.label}</strong>. It is shown this once: nobody can look
            it up afterwards.
          </p>
          <CommandLine command={made.token} />
          <div>
            <button type="button" className="button" onClick={() => setMade(undefined)}>
              I have it
            </button>
          </div>
        </output>
      )}
      {principal.kind === "identity-provider" && (
        <p className="quiet">
          Your tokens end with the session in which you made them: sign out, and they are gone. Programs that
          run for longer need a token of an account, or of the coordinator.
        </p>
      )}
      <Loaded query={query}>
        {(tokens) =>
          tokens.length === 0 ? (
            <p>There is no token yet.</p>
          ) : (
            <Table label="Tokens" columns={columns} rows={tokens} keyOf={({ id }) => id} />
          )
        }
      </Loaded>
    </section>
  );
}

function MakeButton({
  principal: { kind, grants: own },
  onMade,
}: {
  readonly principal: Principal;
  readonly onMade: (made: ApiTokenCreated) => void;
}): ReactNode {
  const client = useQueryClient();
  const { expiresAt = null, idleMs = null } = useWhoAmI() ?? {};
  const isOfSession = kind === "identity-provider";
  // As little as one can give.
  const least: readonly AccessGrant[] = [{ role: "viewer", model: own[0]?.model ?? "*" }];
  const [label, setLabel] = useState("");
  const [grants, setGrants] = useState(least);
  const [chosen, setDays] = useState<number | null>(90);
  const days = isOfSession ? null : chosen;
  return (
    <ActionButton
      label="Make a token"
      consequence={
        isOfSession && expiresAt !== null && idleMs !== null
          ? `Whoever has it may what its roles say, and never more than you. It is good until ${formatFull(expiresAt)} at the latest, and ends when you sign out of this browser, or do not use it for ${idleWords(idleMs)}.`
          : "Whoever has it may what its roles say, without signing in. It may never more than you."
      }
      done={`The token for ${label} is made`}
      requires="view"
      testId="make-token"
      run={async (api) => {
        onMade(await api.createApiToken({ label: label.trim(), grants: [...grants], days }));
        setLabel("");
        setGrants(least);
        await client.invalidateQueries({ queryKey: KEY });
      }}
    >
      <AccessField label="What it is for" name="label" value={label} onChange={setLabel} autoComplete="off" />
      <GrantFields grants={grants} onChange={setGrants} />
      {!isOfSession && (
        <div className="access-field">
          <label htmlFor="token-days">Good for</label>
          <select
            id="token-days"
            value={String(days)}
            data-testid="days"
            onChange={(event) => setDays(event.target.value === "null" ? null : Number(event.target.value))}
          >
            {DAYS.map((each) => (
              <option key={String(each)} value={String(each)}>
                {each === null ? "until it is revoked" : `${each} days`}
              </option>
            ))}
          </select>
        </div>
      )}
    </ActionButton>
  );
}

function RevokeButton({ token: { id, label } }: { readonly token: ApiTokenView }): ReactNode {
  const client = useQueryClient();
  return (
    <ActionButton
      label="Revoke"
      title={`Revoke ${label}`}
      consequence="Programs that use it are refused from their next request on. It cannot be taken back: make another one."
      hurts
      done={`${label} is revoked`}
      requires="view"
      testId={`revoke-${label}`}
      run={async (api) => client.setQueryData(KEY, await api.revokeApiToken(id))}
    />
  );
}
