import { type ReactNode, use } from "react";
import { AskToSignIn, useWhoAmI } from "../../data/session-context.ts";

/** Where one may look without signing in, there is nobody to have settings. */
export function NobodyCard(): ReactNode {
  const ask = use(AskToSignIn);
  const signIn = useWhoAmI()?.signIn;
  const canSignIn = signIn?.password === true || typeof signIn?.identityProvider === "string";
  return (
    <section className="card stack" aria-labelledby="nobody-title" data-testid="nobody">
      <div className="card-head">
        <h2 id="nobody-title">You look without having signed in</h2>
      </div>
      <p className="quiet">
        This coordinator shows everything to whoever reaches it. What changes something asks for a token, or
        for an account.
      </p>
      {canSignIn && (
        <div>
          <button type="button" className="button main" onClick={ask}>
            Sign in
          </button>
        </div>
      )}
    </section>
  );
}
