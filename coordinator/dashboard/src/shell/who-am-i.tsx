import { type ReactNode, use } from "react";
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
      <span className="who-name" data-testid="who" title={rolesOf(principal.grants)}>
        {principal.name}
      </span>
      <button
        type="button"
        className="button"
        data-testid="sign-out"
        onClick={() => void session.signOut().catch(() => session.refresh())}
      >
        Sign out
      </button>
    </div>
  );
}

function rolesOf(grants: readonly { readonly model: string; readonly role: string }[]): string {
  return grants.map(({ model, role }) => `${role} of ${model === "*" ? "all models" : model}`).join(", ");
}
