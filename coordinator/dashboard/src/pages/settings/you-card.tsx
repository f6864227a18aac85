import type { SessionView } from "@tributary/api-client";
import { type ReactNode, useState } from "react";
import { useSession, useWhoAmI } from "../../data/session-context.ts";
import { formatFull } from "../../format/time.ts";
import { grantsWords, idleWords } from "../../model/access-words.ts";
import { ActionButton } from "../../ui/action-button.tsx";
import { AccessField } from "../sign-in/access-field.tsx";

type Principal = NonNullable<SessionView["principal"]>;

const BY: Readonly<Record<Principal["kind"], string>> = {
  account: "An account of this coordinator",
  "identity-provider": "The identity provider",
  token: "A token",
  bootstrap: "The token of the data folder",
  anonymous: "Nobody",
};

/** As whom one is signed in, what one may, and one's password. */
export function YouCard({ principal }: { readonly principal: Principal }): ReactNode {
  const { name, kind, grants } = principal;
  const { expiresAt = null, idleMs = null } = useWhoAmI() ?? {};
  return (
    <section className="card stack" aria-labelledby="you-title" data-testid="you">
      <div className="card-head">
        <h2 id="you-title">{name}</h2>
        <div className="card-actions">{kind === "account" && <PasswordButton />}</div>
      </div>
      <dl className="facts">
        <div>
          <dt>Signed in by</dt>
          <dd>{BY[kind]}</dd>
        </div>
        <div>
          <dt>Roles</dt>
          <dd>{grantsWords(grants)}</dd>
        </div>
        {expiresAt !== null && (
          <div>
            <dt>Until</dt>
            <dd>
              {formatFull(expiresAt)}
              {idleMs !== null && `, or ${idleWords(idleMs)} without use`}
            </dd>
          </div>
        )}
      </dl>
      {kind === "identity-provider" && (
        <p className="quiet">
          Your password, and what gives you your roles, are there. What changes there holds here when you sign
          in again.
        </p>
      )}
    </section>
  );
}

function PasswordButton(): ReactNode {
  const session = useSession();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  return (
    <ActionButton
      label="Change the password"
      consequence="Your other browsers are signed out. Your tokens stay as they are."
      done="Your password is another one now"
      requires="view"
      testId="change-password"
      run={async () => {
        await session.changePassword(current, password);
        setCurrent("");
        setPassword("");
      }}
    >
      <AccessField
        label="Password until now"
        name="current-password"
        type="password"
        value={current}
        onChange={setCurrent}
        autoComplete="current-password"
      />
      <AccessField
        label="New password, at least 12 characters"
        name="new-password"
        type="password"
        value={password}
        onChange={setPassword}
        autoComplete="new-password"
      />
    </ActionButton>
  );
}
