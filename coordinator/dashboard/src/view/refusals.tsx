import type { RoundView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatFull } from "../format/time.ts";

/** Rows shown; the rest is for `tributary task refusals`. */
const MOST = 5;

/** Whose updates did not count in this round, and why. */
export function Refusals({ round }: { readonly round: RoundView }): ReactNode {
  const { queries } = useDashboard();
  const { data: refusals = [] } = useQuery(queries.refusals(round.id, round.refused));
  if (refusals.length === 0) return null;
  return (
    <ul className="refusals" aria-label="Refused updates" data-testid="refusals">
      {refusals.slice(0, MOST).map(({ device, code, at }, i) => (
        <li key={i} title={`${device}, ${formatFull(at)}`}>
          <code>{code}</code> from device <code>{device.slice(0, 8)}</code>
        </li>
      ))}
      {refusals.length > MOST && <li>and {refusals.length - MOST} more</li>}
    </ul>
  );
}
