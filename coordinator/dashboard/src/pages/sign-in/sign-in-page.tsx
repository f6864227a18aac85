import type { SessionView } from "@tributary/api-client";
import { type ReactNode, useState } from "react";
import { useSession } from "../../data/session-context.ts";
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
  if (!signIn.password)
    return (
      <AccessCard title="No account yet" {...(onLeave && { onLeave })}>
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
      {...(onLeave && { onLeave })}
    >
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
