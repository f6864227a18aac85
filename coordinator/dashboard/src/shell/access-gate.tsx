import { type ReactNode, useEffect, useRef, useState, useSyncExternalStore } from "react";
import type { SessionView } from "@tributary/api-client";
import { AskToSignIn, SessionContext, useSession } from "../data/session-context.ts";
import { canOf, type Session } from "../data/session.ts";
import { PermissionsContext } from "../data/permissions.ts";
import { SetupPage } from "../pages/sign-in/setup-page.tsx";
import { SignInPage } from "../pages/sign-in/sign-in-page.tsx";
import { LoadError } from "../ui/load-error.tsx";

const SETUP = "/setup";

function whoIs({ principal, csrfToken }: SessionView): string {
  return JSON.stringify([principal, csrfToken]);
}

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
  const [failed, setFailed] = useState<Error>();
  const [asked, setAsked] = useState(false);
  const shown = useRef<string>(undefined);
  const load = (): void => {
    setFailed(undefined);
    session.refresh().catch((error: unknown) => setFailed(error as Error));
  };
  useEffect(load, [session]);
  if (view === undefined) return failed === undefined ? null : <LoadError error={failed} retry={load} />;
  const { principal, signIn } = view;
  if (signIn.setup && location.pathname === SETUP) return <SetupPage />;
  // What was read for one person is not for another: the page begins anew, at the same address.
  if (shown.current !== undefined && shown.current !== whoIs(view)) location.reload();
  const wantsIn = asked && principal?.kind === "anonymous";
  if (principal === null || wantsIn)
    return (
      <SignInPage
        view={view}
        {...(wantsIn && { onLeave: () => setAsked(false) })}
        onSignedIn={() => setAsked(false)}
      />
    );
  shown.current = whoIs(view);
  return (
    <PermissionsContext value={canOf(view)}>
      <AskToSignIn value={() => setAsked(true)}>{children}</AskToSignIn>
    </PermissionsContext>
  );
}
