import { type ReactNode, useState, useSyncExternalStore } from "react";
import { AskToSignIn, SessionContext, useSession } from "../data/session-context.ts";
import { canOf, type Session } from "../data/session.ts";
import { PermissionsContext } from "../data/permissions.ts";
import { COMMAND_LINE, SETUP } from "../addresses.ts";
import { CommandLinePage } from "../pages/sign-in/command-line-page.tsx";
import { SetupPage } from "../pages/sign-in/setup-page.tsx";
import { SignInPage } from "../pages/sign-in/sign-in-page.tsx";
import { LoadError } from "../ui/load-error.tsx";

/** Shows the dashboard to whom it may be shown, and how to sign in to everybody else. The address stays as it is meanwhile. */
export function AccessGate({
  session,
  children,
}: {
  readonly session: Session;
  readonly children: ReactNode;
}): ReactNode {
  return (
    <SessionContext value={session}>
      <Gate>{children}</Gate>
    </SessionContext>
  );
}

function Gate({ children }: { readonly children: ReactNode }): ReactNode {
  const session = useSession();
  const view = useSyncExternalStore(session.subscribe, () => session.current);
  const problem = useSyncExternalStore(session.subscribe, () => session.problem);
  const [asked, setAsked] = useState(false);
  if (view === undefined)
    return problem === undefined ? null : <LoadError error={problem} retry={() => void session.refresh()} />;
  const { principal, signIn } = view;
  if (signIn.setup && location.pathname === SETUP) return <SetupPage />;
  const isCommandLine = location.pathname === COMMAND_LINE;
  const wantsIn = (asked || isCommandLine) && principal?.kind === "anonymous";
  if (principal === null || wantsIn)
    return (
      <SignInPage
        view={view}
        {...(wantsIn && !isCommandLine && { onLeave: () => setAsked(false) })}
        onSignedIn={() => setAsked(false)}
      />
    );
  if (isCommandLine) return <CommandLinePage principal={principal} session={view} />;
  return (
    <PermissionsContext value={canOf(view)}>
      <AskToSignIn value={() => setAsked(true)}>{children}</AskToSignIn>
    </PermissionsContext>
  );
}
