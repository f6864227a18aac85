import { createApiClient } from "@tributary/api-client";
import { QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/shell.css";
import "./styles/parts.css";
import "./styles/round.css";
import "./styles/curves.css";
import "./styles/tables.css";
import "./styles/model-card.css";
import "./styles/rollout.css";
import "./styles/audit.css";
import { createQueries, createQueryClient } from "./data/queries.ts";
import { showTheme } from "./data/preferences.ts";
import { createOperator } from "./data/operator.ts";
import { DashboardContext } from "./data/dashboard-context.ts";
import { createEventLog } from "./live/event-log.ts";
import { startLiveUpdates } from "./live/live-updates.ts";
import { moveFromHash } from "./shell/hash-address.ts";
import { Frame } from "./shell/frame.tsx";

showTheme();
moveFromHash();
const baseUrl = new URL("/", location.href).href;
const log = createEventLog();
const client = createQueryClient();
const queries = createQueries(createApiClient({ baseUrl }), log);
const operator = createOperator(baseUrl);
// Before anything is read: events that come while a list is on its way are applied to it.
const live = startLiveUpdates(baseUrl, client, log);

createRoot(document.querySelector("#root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <DashboardContext value={{ queries, live, operator }}>
        <Frame />
      </DashboardContext>
    </QueryClientProvider>
  </StrictMode>,
);
