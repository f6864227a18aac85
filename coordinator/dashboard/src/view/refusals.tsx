import type { RoundView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatFull } from "../format/time.ts";

/** Whose updates did not count in this round, and why; the rest is for `tributary task refusals`. */
export function Refusals({ round }: { readonly round: RoundView }): ReactNode {
  const { queries } = useDashboard();
  const { data: refusals = [] } = useQuery(queries.refusals(round.id, round.refused));
  if (refusals.length === 0) return null;
  return (
    <ul className="refusals" aria-label="Refused updates" data-testid="refusals">
      {refusals.map(({ device, code, at }, i) => (
        <li key={i} title={`${device}, ${formatFull(at)}`}>
          <code>{code}</code> from device <code>{device.slice(0, 8)}</code>
        </li>
      ))}
      {round.refused > refusals.length && <li>and {round.refused - refusals.length} more</li>}
    </ul>
  );
}
