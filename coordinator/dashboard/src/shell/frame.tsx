import { CSPProvider } from "@base-ui/react/csp-provider";
import { Toast } from "@base-ui/react/toast";
import { Tooltip } from "@base-ui/react/tooltip";
import { type ReactNode, useState } from "react";
import { useLocation, useRouter } from "wouter";
import { PAGES } from "../pages.ts";
import { notices } from "../ui/notices.ts";
import { NoticeArea } from "../ui/notice-area.tsx";
import { ConnectionBanner } from "../view/connection-banner.tsx";
import { ReleaseBanner } from "../view/release-banner.tsx";
import { StorageBanner } from "../view/storage-banner.tsx";
import { AlertBell } from "./alert-bell.tsx";
import { Breadcrumbs } from "./breadcrumbs.tsx";
import { matchPage } from "./match-page.ts";
import { Navigation } from "./navigation.tsx";
import { NavigationSheet } from "./navigation-sheet.tsx";
import { PageOutlet } from "./page-outlet.tsx";
import { ShortcutHelp } from "./shortcut-help.tsx";
import { SiteMark } from "./site-mark.tsx";
import { usePageChange } from "./use-page-change.ts";
import { useShortcuts } from "./use-shortcuts.ts";
import { ViewMenu } from "./view-menu.tsx";
import { Vitals } from "./vitals.tsx";
import { WhoAmI } from "./who-am-i.tsx";

/** What stands around every page: the ways to the others, where this one is, how the coordinator fares, and notices. */
export function Frame(): ReactNode {
  const { parser } = useRouter();
  const [pathname, navigate] = useLocation();
  const match = matchPage(PAGES, parser, pathname);
  const [help, setHelp] = useState(false);
  const title = match?.entry.title(match.params) ?? "No such page";
  usePageChange(pathname, title);
  useShortcuts(navigate, () => setHelp(true));
  return (
    // A strict Content-Security-Policy has no place for inline style elements.
    <CSPProvider disableStyleElements>
      <Tooltip.Provider>
        <Toast.Provider toastManager={notices}>
          <div className="frame">
            {/* A button: a link to #main would be another address. */}
            <button
              type="button"
              className="skip"
              onClick={() => document.querySelector<HTMLElement>("#main")?.focus()}
            >
              Skip to the page
            </button>
            <nav className="side" aria-label="Pages">
              <SiteMark />
              <Navigation />
            </nav>
            <div className="frame-rest">
              <header className="top-bar">
                <NavigationSheet />
                <Breadcrumbs title={title} />
                <Vitals />
                <AlertBell />
                <WhoAmI />
                <ViewMenu onHelp={() => setHelp(true)} />
              </header>
              <ConnectionBanner />
              <StorageBanner />
              <ReleaseBanner />
              <main id="main" tabIndex={-1}>
                <PageOutlet match={match} pathname={pathname} />
              </main>
            </div>
          </div>
          <output className="visually-hidden">{title}</output>
          <ShortcutHelp open={help} onOpenChange={setHelp} />
          <NoticeArea />
        </Toast.Provider>
      </Tooltip.Provider>
    </CSPProvider>
  );
}
