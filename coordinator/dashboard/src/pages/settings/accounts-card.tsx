import type { AccessGrant, OperatorView } from "@tributary/api-client";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo } from "../../format/time.ts";
import { grantsWords } from "../../model/access-words.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { AccessField } from "../sign-in/access-field.tsx";
import { GrantFields } from "./grant-fields.tsx";

const KEY = ["operators"];
const LEAST: readonly AccessGrant[] = [{ role: "viewer", model: "*" }];

/** Who has an account, for admins of all models. @param self one's own account, where one has one */
export function AccountsCard({ self }: { readonly self: string | null }): ReactNode {
  const { operator } = useDashboard();
  const now = useServerNow(60_000);
  const query = useQuery<readonly OperatorView[]>({
    queryKey: KEY,
    queryFn: () => operator.run((api) => api.operators()),
    staleTime: 0,
  });
  const columns: readonly Column<OperatorView>[] = [
    {
      title: "Account",
      cell: ({ name }) => (
        <>
          {name} {name === self && <span className="pill pill-small">you</span>}
        </>
      ),
    },
    { title: "Roles", text: true, cell: ({ grants }) => grantsWords(grants) },
    { title: "Since", cell: ({ createdAt }) => formatAgo(Date.parse(createdAt), now) },
    { title: "Password", cell: ({ passwordChangedAt }) => formatAgo(Date.parse(passwordChangedAt), now) },
    {
      title: "",
      cell: (account) => (
        <div className="row-actions">
          <RolesButton account={account} />
          {account.name !== self && <PasswordButton name={account.name} />}
          <RemoveButton name={account.name} isSelf={account.name === self} />
        </div>
      ),
    },
  ];
  return (
    <section className="card stack" aria-labelledby="accounts-title" data-testid="accounts">
      <div className="card-head">
        <h2 id="accounts-title">Accounts</h2>
        <div className="card-actions">
          <AddButton />
        </div>
      </div>
      <Loaded query={query}>
        {(operators) =>
          operators.length === 0 ? (
            <p>Nobody has an account yet.</p>
          ) : (
            <Table label="Who has an account" columns={columns} rows={operators} keyOf={({ name }) => name} />
          )
        }
      </Loaded>
    </section>
  );
}

function useReread(): () => Promise<void> {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: KEY });
}

function AddButton(): ReactNode {
  const reread = useReread();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [grants, setGrants] = useState(LEAST);
  return (
    <ActionButton
      label="Add an account"
      consequence="Whoever has the password signs in with it, and may what the roles say. Hand it over where nobody else reads it; it can be changed under Settings."
      done={`${name} has an account`}
      requires="administer"
      testId="add-account"
      run={async (api) => {
        await api.addOperator({ name: name.trim(), password, grants: [...grants] });
        setName("");
        setPassword("");
        setGrants(LEAST);
        await reread();
      }}
    >
      <AccessField label="Name" name="username" value={name} onChange={setName} autoComplete="off" />
      <NewPassword value={password} onChange={setPassword} />
      <GrantFields grants={grants} onChange={setGrants} />
    </ActionButton>
  );
}

function RolesButton({ account: { name, grants: now } }: { readonly account: OperatorView }): ReactNode {
  const reread = useReread();
  const [grants, setGrants] = useState(now.length === 0 ? LEAST : now);
  return (
    <ActionButton
      label="Roles"
      title={`Roles of ${name}`}
      confirm="Give these roles"
      consequence={
        <>
          They hold from the next request on, for the account and its tokens. Until now:{" "}
          <strong>{grantsWords(now)}</strong>.
        </>
      }
      done={`${name} has other roles`}
      requires="administer"
      testId={`roles-${name}`}
      run={async (api) => {
        await api.grantOperator(name, [...grants]);
        await reread();
      }}
    >
      <GrantFields grants={grants} onChange={setGrants} />
    </ActionButton>
  );
}

function PasswordButton({ name }: { readonly name: string }): ReactNode {
  const reread = useReread();
  const [password, setPassword] = useState("");
  return (
    <ActionButton
      label="Password"
      title={`Another password for ${name}`}
      confirm="Set it"
      consequence="Their browsers are signed out, and they sign in with it from now on. Their tokens stay as they are."
      hurts
      done={`${name} has another password`}
      requires="administer"
      testId={`password-${name}`}
      run={async (api) => {
        await api.setOperatorPassword(name, password);
        setPassword("");
        await reread();
      }}
    >
      <NewPassword value={password} onChange={setPassword} />
    </ActionButton>
  );
}

function RemoveButton({ name, isSelf }: { readonly name: string; readonly isSelf: boolean }): ReactNode {
  const reread = useReread();
  return (
    <ActionButton
      label="Remove"
      title={`Remove ${name}`}
      consequence={
        <>
          {isSelf
            ? "This is your own account: you are signed out with it. "
            : "They are signed out everywhere. "}
          All tokens of the account are revoked: what programs do with them ends. What was done is still in
          the audit log.
        </>
      }
      hurts
      done={`${name} is removed`}
      requires="administer"
      testId={`remove-${name}`}
      run={async (api) => {
        await api.removeOperator(name);
        await reread();
      }}
    />
  );
}

function NewPassword({
  value,
  onChange,
}: {
  readonly value: string;
  readonly onChange: (value: string) => void;
}): ReactNode {
  return (
    <AccessField
      label="Password, at least 12 characters"
      name="new-password"
      type="password"
      value={value}
      onChange={onChange}
      autoComplete="new-password"
    />
  );
}
