import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { releaseNotices } from "../model/release-notices.ts";
import { WarningIcon } from "../ui/icons.tsx";

/** No event tells of it. */
const ASK_MS = 60_000;

/** Says what waits for signatures, what is about to expire, and which versions devices do not run. */
export function ReleaseBanner(): ReactNode {
  const { queries } = useDashboard();
  const { data: roles = [] } = useQuery({ ...queries.keys(), refetchInterval: ASK_MS });
  const { data: status } = useQuery({ ...queries.status(), refetchInterval: ASK_MS });
  return (
    <div aria-live="polite">
      {releaseNotices(roles, status?.refusedVersions ?? []).map(({ id, title, text, command }) => (
        <div key={id} className="banner" data-testid="release-notice">
          <WarningIcon />
          <p>
            <strong>{title}</strong> {text} {command !== undefined && <code>{command}</code>}
          </p>
        </div>
      ))}
    </div>
  );
}
