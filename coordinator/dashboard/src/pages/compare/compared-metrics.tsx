import type { CompareView } from "@tributary/api-client";
import type { ReactNode } from "react";
import { bestOf, differenceText, measuredText, methodText } from "../../model/compare-lines.ts";
import { Hint } from "../../ui/hint.tsx";
import { TableRegion } from "../../ui/table.tsx";

/** What was measured of each, and what can be said of the differences. */
export function ComparedMetrics({ view }: { readonly view: CompareView }): ReactNode {
  const { subjects, metrics, differences, confidence } = view;
  return (
    <section className="card stack" aria-labelledby="metrics-title" data-testid="compared-metrics">
      <div className="card-head">
        <h2 id="metrics-title">Metrics</h2>
        <Hint about="intervals and significance">
          <p>
            Intervals hold with {confidence * 100} %. A difference is called significant where chance alone
            would rarely make one as large, with all pairs of the metric taken together (Holm). Devices that
            measured both versions on the same examples say most; else shares of the same data set are
            compared as of independent samples, which errs towards no difference.
          </p>
        </Hint>
      </div>
      {metrics.length === 0 ? (
        <p className="quiet">Nothing was measured of them on held-out data.</p>
      ) : (
        <TableRegion label="Metrics side by side">
          <table>
            <thead>
              <tr>
                <th scope="col">Metric</th>
                {subjects.map(({ ref }, i) => (
                  <th scope="col" key={ref} data-series={i + 1}>
                    {ref}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {metrics.map((metric) => {
                const best = bestOf(metric);
                return (
                  <tr key={metric.name}>
                    <th scope="row">{metric.name}</th>
                    {metric.values.map((value, i) => (
                      <td key={subjects[i]!.ref} data-best={best === i || undefined}>
                        {measuredText(value)}
                      </td>
                    ))}
                  </tr>
                );
              })}
            </tbody>
          </table>
        </TableRegion>
      )}
      {differences.length === 0 ? (
        <p className="quiet" data-testid="no-differences">
          No difference can be judged: that takes accuracies on the same data set, or devices that measured
          two of them on the same examples.
        </p>
      ) : (
        <ul className="differences" aria-label="Differences">
          {differences.map((difference) => {
            const { metric, first, second, significant } = difference;
            return (
              <li
                key={`${metric} ${first} ${second}`}
                data-testid="difference"
                data-significant={significant}
              >
                <span className="pill" data-state={significant ? "passed" : undefined}>
                  {significant ? "significant" : "may be chance"}
                </span>
                <span>
                  {metric}: <strong>{subjects[second]!.ref}</strong> less{" "}
                  <strong>{subjects[first]!.ref}</strong> {differenceText(difference)}
                </span>
                <span className="quiet">{methodText(difference)}</span>
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}
