import type { SessionView } from "@tributary/api-client";
import { type ReactNode, useState } from "react";
import { useSession } from "../../data/session-context.ts";
import { providerHref, signInProblem } from "../../model/sign-in-words.ts";
import { AccessCard } from "./access-card.tsx";
import { AccessField } from "./access-field.tsx";

/** Asks who it is. */
export function SignInPage({
  view,
  onSignedIn,
  onLeave,
}: {
  readonly view: SessionView;
  readonly onSignedIn: () => void;
  /** Back to what may be seen without signing in. */
  readonly onLeave?: () => void;
}): ReactNode {
  const session = useSession();
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const { signIn } = view;
  const { identityProvider } = signIn;
  const leave = onLeave && { leave: { label: "Only look", run: onLeave } };
  if (!signIn.password && identityProvider !== null)
    return (
      <AccessCard title="Sign in" {...leave}>
        <ProviderLink name={identityProvider} />
      </AccessCard>
    );
  if (!signIn.password)
    return (
      <AccessCard title="No account yet" {...leave}>
        <p>
          {signIn.setup
            ? "The coordinator printed a link when it started: it makes the first account, once, and within a day."
            : "The link that makes the first account is too old. Start the coordinator again: it prints a new one."}
        </p>
        <p className="quiet">
          Or, where its data folder is: <code>tributary operator add ada --role admin</code>
        </p>
      </AccessCard>
    );
  return (
    <AccessCard
      title="Sign in"
      action="Sign in"
      run={async () => {
        await session.signIn(name.trim(), password);
        onSignedIn();
      }}
      {...leave}
    >
      {identityProvider !== null && (
        <>
          <ProviderLink name={identityProvider} />
          <p className="access-or">or with an account of this coordinator</p>
        </>
      )}
      <AccessField label="Name" name="username" value={name} onChange={setName} autoComplete="username" />
      <AccessField
        label="Password"
        name="password"
        type="password"
        value={password}
        onChange={setPassword}
        autoComplete="current-password"
      />
    </AccessCard>
  );
}

/** To where one signs in elsewhere, and what became of it the last time. */
function ProviderLink({ name }: { readonly name: string }): ReactNode {
  const problem = signInProblem(location.search, name);
  return (
    <>
      {problem !== undefined && (
        <p role="alert" className="dialog-failed">
          {problem}
        </p>
      )}
      <a className="button main" href={providerHref(location)} data-testid="sign-in-provider">
        Sign in with {name}
      </a>
    </>
  );
}
