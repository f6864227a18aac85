import type { ReactNode } from "react";
import { PageTabs } from "../../ui/page-tabs.tsx";
import { AlertList } from "./alert-list.tsx";
import "./alerts.css";
import { ChannelList } from "./channel-list.tsx";
import { PolicyList } from "./policy-list.tsx";
import { RuleList } from "./rule-list.tsx";
import { SilenceList } from "./silence-list.tsx";

/** What is wrong, what is looked at, who is told, and what the coordinator decides by itself. */
export function AlertsPage(): ReactNode {
  return (
    <div className="page">
      <div className="page-head">
        <h1>Alerts</h1>
      </div>
      <PageTabs
        label="Alerts"
        tabs={[
          { id: "alerts", title: "Now and before", content: () => <AlertList /> },
          { id: "rules", title: "Rules", content: () => <RuleList /> },
          { id: "silences", title: "Silences", content: () => <SilenceList /> },
          { id: "channels", title: "Channels", content: () => <ChannelList /> },
          { id: "policies", title: "Policies", content: () => <PolicyList /> },
        ]}
      />
    </div>
  );
}
