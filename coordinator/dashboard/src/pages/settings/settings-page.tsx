import type { ReactNode } from "react";
import { useWhoAmI } from "../../data/session-context.ts";
import { administersAll } from "../../data/session.ts";
import { PageTabs } from "../../ui/page-tabs.tsx";
import { AccountsCard } from "./accounts-card.tsx";
import { BrowsersCard } from "./browsers-card.tsx";
import { NobodyCard } from "./nobody-card.tsx";
import "./settings.css";
import { TokensCard } from "./tokens-card.tsx";
import { WaysInCard } from "./ways-in-card.tsx";
import { YouCard } from "./you-card.tsx";

/** Who looks, by what they sign in, and, for admins, who else does. */
export function SettingsPage(): ReactNode {
  const view = useWhoAmI();
  const principal = view?.principal;
  return (
    <div className="page">
      <div className="page-head">
        <h1>Settings</h1>
      </div>
      {view === undefined ||
      principal === null ||
      principal === undefined ||
      principal.kind === "anonymous" ? (
        <>
          <NobodyCard />
          {view !== undefined && <WaysInCard signIn={view.signIn} />}
        </>
      ) : (
        <PageTabs
          label="Settings"
          tabs={[
            {
              id: "you",
              title: "You",
              content: () => (
                <>
                  <YouCard principal={principal} />
                  <BrowsersCard all={administersAll(view)} />
                </>
              ),
            },
            {
              id: "tokens",
              title: "Tokens",
              content: () => <TokensCard principal={principal} all={administersAll(view)} />,
            },
            ...(administersAll(view)
              ? [
                  {
                    id: "accounts",
                    title: "Accounts",
                    content: () => <AccountsCard self={principal.account} />,
                  },
                  { id: "ways-in", title: "Ways in", content: () => <WaysInCard signIn={view.signIn} /> },
                ]
              : []),
          ]}
        />
      )}
    </div>
  );
}
