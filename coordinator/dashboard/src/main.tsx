import { createApiClient, TributaryError } from "@tributary/api-client";
import { type QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, StrictMode } from "react";
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
import "./styles/access.css";
import { createQueries } from "./data/queries.ts";
import { createQueryClient } from "./data/query-client.ts";
import { showTheme } from "./data/preferences.ts";
import { createOperator } from "./data/operator.ts";
import { type Dashboard, DashboardContext } from "./data/dashboard-context.ts";
import { createSession } from "./data/session.ts";
import { createEventLog } from "./live/event-log.ts";
import { startLiveUpdates } from "./live/live-updates.ts";
import { moveFromHash } from "./shell/hash-address.ts";
import { AccessGate } from "./shell/access-gate.tsx";
import { Frame } from "./shell/frame.tsx";

showTheme();
moveFromHash();
const baseUrl = new URL("/", location.href).href;
// At the same address, from the beginning.
const session = createSession(baseUrl, {
  onOther: () => location.reload(),
  onLeave: (address) => location.assign(address),
});
void session.refresh();

/** What the page reads, and how it stays fresh: begun when it is known who looks, and with another person anew. */
const start = once((): { readonly dashboard: Dashboard; readonly client: QueryClient } => {
  const log = createEventLog();
  const client = createQueryClient((error) => {
    // The session may have ended meanwhile.
    if (TributaryError.is(error) && error.code === "identity/not-authorized") void session.refresh();
  });
  const queries = createQueries(createApiClient({ baseUrl }), log);
  const operator = createOperator(baseUrl, session);
  // Before anything is read: events that come while a list is on its way are applied to it.
  const live = startLiveUpdates(baseUrl, client, log);
  return { dashboard: { queries, live, operator }, client };
});

function Pages(): ReactNode {
  const { dashboard, client } = start();
  return (
    <QueryClientProvider client={client}>
      <DashboardContext value={dashboard}>
        <Frame />
      </DashboardContext>
    </QueryClientProvider>
  );
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

createRoot(document.querySelector("#root")!).render(
  <StrictMode>
    <AccessGate session={session}>
      <Pages />
    </AccessGate>
  </StrictMode>,
);
