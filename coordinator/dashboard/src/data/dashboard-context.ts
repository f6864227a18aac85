import { createContext, use, useSyncExternalStore } from "react";
import type { Connection } from "../live/connection.ts";
import type { LiveUpdates } from "../live/live-updates.ts";
import type { Operator } from "./operator.ts";
import type { Queries } from "./queries.ts";

export interface Dashboard {
  readonly queries: Queries;
  readonly live: LiveUpdates;
  readonly operator: Operator;
}

export const DashboardContext = createContext<Dashboard | undefined>(undefined);

export function useDashboard(): Dashboard {
  const dashboard = use(DashboardContext);
  if (dashboard === undefined) throw new Error("the dashboard's parts are used outside <DashboardContext>");
  return dashboard;
}

export function useConnection(): Connection {
  const { connection } = useDashboard().live;
  return useSyncExternalStore(connection.subscribe, connection.get);
}
