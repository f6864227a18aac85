import { type ReactNode, useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
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
  const load = useCallback((): void => {
    session.refresh().catch((error: unknown) => setFailed(error as Error));
  }, [session]);
  useEffect(load, [load]);
  const principal = view?.principal;
  const wantsIn = asked && principal?.kind === "anonymous";
  const who = view && whoIs(view);
  const setsUp = view?.signIn.setup === true && location.pathname === SETUP;
  const isShown = view !== undefined && principal !== null && !wantsIn && !setsUp;
  // What was read for one person is not for another: the page begins anew, at the same address.
  useEffect(() => {
    if (shown.current !== undefined && shown.current !== who) location.reload();
    else if (isShown) shown.current = who;
  }, [who, isShown]);
  if (view === undefined) {
    const retry = (): void => {
      setFailed(undefined);
      load();
    };
    return failed === undefined ? null : <LoadError error={failed} retry={retry} />;
  }
  if (setsUp) return <SetupPage />;
  if (!isShown)
    return (
      <SignInPage
        view={view}
        {...(wantsIn && { onLeave: () => setAsked(false) })}
        onSignedIn={() => setAsked(false)}
      />
    );
  return (
    <PermissionsContext value={canOf(view)}>
      <AskToSignIn value={() => setAsked(true)}>{children}</AskToSignIn>
    </PermissionsContext>
  );
}
