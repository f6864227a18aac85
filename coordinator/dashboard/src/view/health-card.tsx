import type { VersionHealthView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { formatCount, NONE } from "../format/numbers.ts";
import { formatFull, formatMs } from "../format/time.ts";

/** How versions fare on the devices whose apps let them tell. Nothing while none does. */
export function HealthCard({ model }: { readonly model: string }): ReactNode {
  const { queries } = useDashboard();
  const { data = [] } = useQuery(queries.health(model));
  if (data.length === 0) return null;
  return (
    <section className="card stack" aria-labelledby="health-title" data-testid="health">
      <h2 id="health-title">On single devices</h2>
      <p className="quiet">What devices tell of themselves, where their app lets them.</p>
      {/* The table may be wider than a phone: the region scrolls, in every browser by keyboard too. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <section className="scroll" aria-label="Table of versions on devices" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">Version</th>
              <th scope="col">Devices</th>
              <th scope="col">Runs</th>
              <th scope="col">Crashes</th>
              <th scope="col">Failed self-checks</th>
              <th scope="col">Errors</th>
              <th scope="col">p50</th>
              <th scope="col">p95</th>
            </tr>
          </thead>
          <tbody>
            {data.map((each) => (
              <HealthRow key={each.version} health={each} />
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}

function HealthRow({ health }: { readonly health: VersionHealthView }): ReactNode {
  const { version, devices, runs, crashes, crashedDevices, selfCheckFailures, errors, latencyMs, at } =
    health;
  const codes = Object.entries(errors);
  const failed = codes.reduce((sum, [, count]) => sum + count, 0);
  return (
    <tr data-testid="health-row" data-version={version} title={`Last told ${formatFull(at)}`}>
      <th scope="row">{version}</th>
      <td>{formatCount(devices)}</td>
      <td>{formatCount(runs)}</td>
      <td>{crashes === 0 ? "0" : `${formatCount(crashes)} on ${formatCount(crashedDevices)}`}</td>
      <td>{formatCount(selfCheckFailures)}</td>
      <td title={codes.map(([code, count]) => `${code} ${count}`).join(", ") || undefined}>
        {formatCount(failed)}
      </td>
      <td>{latencyMs.p50 === null ? NONE : formatMs(latencyMs.p50)}</td>
      <td>{latencyMs.p95 === null ? NONE : formatMs(latencyMs.p95)}</td>
    </tr>
  );
}
