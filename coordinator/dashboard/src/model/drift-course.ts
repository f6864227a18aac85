import type { DriftHistory } from "@tributary/api-client";

/** How drift went: in the order in which it is drawn, oldest first. */
export type DriftCourse = Omit<DriftHistory, "next">;

/** @param pages newest first; at least one. What the newest page has is shown as far back as it was measured. */
export function driftCourse(pages: readonly DriftHistory[]): DriftCourse {
  const { metrics, measurements: _, next: __, ...newest } = pages[0]!;
  return {
    ...newest,
    measurements: pages.flatMap(({ measurements }) => measurements).toReversed(),
    metrics: metrics.map((metric) => ({
      ...metric,
      history: pages
        .flatMap((page) => {
          const same = page.metrics.find(({ name }) => name === metric.name);
          return same?.history ?? page.measurements.map(() => null);
        })
        .toReversed(),
    })),
  };
}
