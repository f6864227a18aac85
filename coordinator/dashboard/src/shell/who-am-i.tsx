import { type ReactNode, use } from "react";
import { Link } from "wouter";
import { SETTINGS } from "../addresses.ts";
import { grantsWords } from "../model/access-words.ts";
import { LeaveIcon } from "../ui/icons.tsx";
import { AskToSignIn, useSession, useWhoAmI } from "../data/session-context.ts";

/** As whom one is signed in, and the way out; or the way in. */
export function WhoAmI(): ReactNode {
  const session = useSession();
  const ask = use(AskToSignIn);
  const view = useWhoAmI();
  const principal = view?.principal;
  if (principal === null || principal === undefined) return null;
  if (principal.kind === "anonymous")
    return view?.signIn.password === true || typeof view?.signIn.identityProvider === "string" ? (
      <button type="button" className="button" data-testid="ask-sign-in" onClick={ask}>
        Sign in
      </button>
    ) : null;
  return (
    <div className="who">
      <Link className="who-name" href={SETTINGS} data-testid="who" title={grantsWords(principal.grants)}>
        {principal.name}
      </Link>
      <button
        type="button"
        className="button sign-out"
        aria-label="Sign out"
        data-testid="sign-out"
        onClick={() => void session.signOut().catch(() => session.refresh())}
      >
        <span className="sign-out-words">Sign out</span>
        <LeaveIcon />
      </button>
    </div>
  );
}
