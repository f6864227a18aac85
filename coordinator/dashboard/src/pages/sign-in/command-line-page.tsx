import type { SessionView } from "@tributary/api-client";
import { type ReactNode, useState } from "react";
import { useSession } from "../../data/session-context.ts";
import { useNow } from "../../data/use-now.ts";
import { formatFull } from "../../format/time.ts";
import { grantsWords, idleWords } from "../../model/access-words.ts";
import { answerHref, commandLineRequest } from "../../model/command-line-request.ts";
import { AccessCard } from "./access-card.tsx";

type Principal = NonNullable<SessionView["principal"]>;

/** Asks whoever is signed in whether a command line on their computer may act as them. */
export function CommandLinePage({
  principal,
  session: { expiresAt, idleMs },
}: {
  readonly principal: Principal;
  /** When it ends. */
  readonly session: Pick<SessionView, "expiresAt" | "idleMs">;
}): ReactNode {
  const session = useSession();
  const [request] = useState(() => commandLineRequest(location.search));
  const now = useNow(60_000);
  if (request === undefined)
    return (
      <AccessCard title="Nothing asks here">
        <p>
          This address is none that <code>tributary login</code> printed, or a part of it is missing. Run the
          command again, and open the whole address.
        </p>
      </AccessCard>
    );
  const { machine, days, challenge } = request;
  const grants = [...(request.grants ?? principal.grants)];
  const isOfSession = principal.kind === "identity-provider";
  const inDays = now + days * 86_400_000;
  const sessionEnd = expiresAt === null ? Infinity : Date.parse(expiresAt);
  const leaveFor = (href: string): void => location.assign(href);
  return (
    <AccessCard
      title="Allow this sign-in?"
      action="Allow"
      run={async () => {
        const code = await session.api().createLoginCode({ challenge, machine, grants, days });
        leaveFor(answerHref(request, { code }));
      }}
      leave={{ label: "Refuse", run: () => leaveFor(answerHref(request, "refused")) }}
    >
      <p>
        <code>tributary login</code> on this computer, <strong>{machine}</strong>, asks to act as you.
      </p>
      <dl className="facts access-facts" data-testid="command-line">
        <div>
          <dt>As</dt>
          <dd>
            {principal.name}{" "}
            <button
              type="button"
              className="text-button"
              data-testid="somebody-else"
              onClick={() => void session.signOut().catch(() => session.refresh())}
            >
              Not you?
            </button>
          </dd>
        </div>
        <div>
          <dt>May</dt>
          <dd>{grantsWords(grants)}</dd>
        </div>
        <div>
          <dt>Until</dt>
          <dd>
            {formatFull(new Date(isOfSession ? Math.min(inDays, sessionEnd) : inDays).toISOString())}
            <small>
              {isOfSession
                ? `or you sign out of this browser, or do not use it for ${idleWords(idleMs ?? 0)}`
                : "or you revoke it, under Settings"}
            </small>
          </dd>
        </div>
      </dl>
      <p className="quiet">
        Allow it only if you have just run the command yourself: whoever asks may do all of this in your name.
      </p>
    </AccessCard>
  );
}
