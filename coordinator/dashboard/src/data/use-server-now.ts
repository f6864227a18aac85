import { useQuery } from "@tanstack/react-query";
import { useDashboard } from "./dashboard-context.ts";
import { useNow } from "./use-now.ts";

/** The time by the coordinator's clock, which its deadlines and dates are in; renewed every `everyMs`. */
export function useServerNow(everyMs: number): number {
  const { queries } = useDashboard();
  const { data } = useQuery(queries.status());
  return useNow(everyMs) + (data?.clockOffsetMs ?? 0);
}
