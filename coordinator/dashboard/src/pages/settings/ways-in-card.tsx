import type { SessionView } from "@tributary/api-client";
import type { ReactNode } from "react";

/** How one may sign in here, as the coordinator was started. */
export function WaysInCard({ signIn }: { readonly signIn: SessionView["signIn"] }): ReactNode {
  const { password, identityProvider, setup } = signIn;
  return (
    <section className="card stack" aria-labelledby="ways-in-title" data-testid="ways-in">
      <div className="card-head">
        <h2 id="ways-in-title">Ways in</h2>
      </div>
      <dl className="facts">
        <Way title="Accounts" on={password}>
          {password ? "Who has one signs in with its password." : "There is none yet."}
        </Way>
        <Way title="OpenID Connect" on={identityProvider !== null}>
          {identityProvider === null ? (
            <>
              Not set up: <code>tributary serve --oidc-issuer</code> names a provider.
            </>
          ) : (
            `${identityProvider}: whom it knows has the roles of their groups.`
          )}
        </Way>
        <Way title="Setup link" on={setup}>
          {setup
            ? "One waits for the first admin. Whoever has it becomes one."
            : "Used, or too old. None is printed while there is an account."}
        </Way>
        <Way title="Tokens" on>
          Programs and command lines, with tokens of whoever signed in; and whoever can read the file{" "}
          <code>operator-token</code> of the data folder.
        </Way>
      </dl>
    </section>
  );
}

function Way({
  title,
  on,
  children,
}: {
  readonly title: string;
  readonly on: boolean;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <div>
      <dt>{title}</dt>
      <dd>
        <span className="pill pill-small" data-state={on ? "done" : "none"}>
          {on ? "on" : "off"}
        </span>{" "}
        {children}
      </dd>
    </div>
  );
}
