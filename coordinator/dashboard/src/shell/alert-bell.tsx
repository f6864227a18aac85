import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { ALERTS } from "../addresses.ts";
import { useDashboard } from "../data/dashboard-context.ts";
import { BellIcon } from "../ui/icons.tsx";

/** How many alerts fire that nobody has seen, on every page. */
export function AlertBell(): ReactNode {
  const { data } = useInfiniteQuery(useDashboard().queries.alerts());
  const count = data?.counts.unacknowledged ?? 0;
  const words = count === 0 ? "No alerts" : `${count} ${count === 1 ? "alert" : "alerts"}`;
  return (
    <Link
      className="alert-bell"
      href={ALERTS}
      aria-label={words}
      title={words}
      data-testid="alert-bell"
      data-firing={count > 0 || undefined}
      data-critical={(data?.counts.critical ?? 0) > 0 || undefined}
    >
      <BellIcon />
      {count > 0 && <span aria-hidden="true">{count}</span>}
    </Link>
  );
}
