import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { WarningIcon } from "../ui/icons.tsx";

/** Says that rounds stand still because the coordinator cannot store them. */
export function StorageBanner(): ReactNode {
  const { queries } = useDashboard();
  const { data: status } = useQuery(queries.status());
  const problem = status?.storageProblem ?? null;
  return (
    <div aria-live="polite">
      {problem !== null && (
        <div className="banner" data-testid="storage-problem">
          <WarningIcon />
          <p>
            <strong>
              {problem.code === "store/quota-exceeded" ? "The disk is full." : "Nothing can be stored."}
            </strong>{" "}
            <span className="banner-why">{problem.code}</span> since{" "}
            {new Date(problem.since).toLocaleTimeString()}. Rounds begin again by themselves once there is
            room.
          </p>
        </div>
      )}
    </div>
  );
}
