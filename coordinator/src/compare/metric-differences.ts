import { adjustedByHolm, shareDifference, type ShareDifference } from "@tributary/metrics";
import type { CompareView } from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { VersionRecord } from "../ports/model-records.ts";
import { measuredComparison } from "../registry/measurement-view.ts";

type Metric = CompareView["metrics"][number];
type MetricDifference = CompareView["differences"][number];
type Raw = Omit<MetricDifference, "adjustedP" | "significant">;

/** Of intervals on both sides. */
export const CONFIDENCE = 0.95;

const LOWER = /(?:^|\.)(?:loss|mae|mse|rmse|perplexity|brier)$/;
const HIGHER = /(?:^|\.)(?:accuracy|top\d+|f1|auc|precision|recall|macroF1)$/i;

/** What was measured of versions on held-out data, side by side. */
export function metricsOf(versions: readonly (VersionRecord | undefined)[]): Metric[] {
  const named = (name: string, valueOf: (version: VersionRecord) => number | null | undefined): Metric => ({
    name,
    better: LOWER.test(name) ? "lower" : HIGHER.test(name) ? "higher" : null,
    values: versions.map((version) => {
      const value = version && valueOf(version);
      if (version === undefined || value === null || value === undefined) return null;
      const { lower = null, upper = null } = version.lineage?.intervals[name] ?? {};
      return { value, lower, upper, examples: version.lineage?.evaluation?.examples ?? null };
    }),
  });
  const names = new Set(
    versions.flatMap((version) =>
      Object.entries(version?.metrics ?? {}).flatMap(([name, values]) => (values.length === 1 ? [name] : [])),
    ),
  );
  const all = [
    named("accuracy", ({ accuracy }) => accuracy),
    named("loss", ({ loss }) => loss),
    ...[...names].map((name) => named(name, ({ metrics }) => metrics[name]?.[0])),
  ];
  return all.filter(({ values }) => values.some((value) => value !== null));
}

/** What can be said of pairs, and which differences are significant, by metric. */
export async function differencesOf(
  store: Pick<MetadataStore, "measurements">,
  versions: readonly (VersionRecord | undefined)[],
  metrics: readonly Metric[],
): Promise<MetricDifference[]> {
  const raw: Raw[] = [];
  for (const [first, a] of versions.entries())
    for (const [second, b] of versions.entries()) {
      if (second <= first || a === undefined || b === undefined) continue;
      if (a.model === b.model && a.version === b.version) continue;
      const paired = await pairedDifferences(store, a, b);
      const known = new Set(paired.map(({ metric }) => metric));
      const shares = shareDifferences(a, b, metrics, { first, second }).filter(
        ({ metric }) => !known.has(metric),
      );
      raw.push(...paired.map((each): Raw => ({ ...each, first, second })), ...shares);
    }
  return [...Map.groupBy(raw, ({ metric }) => metric).values()].flatMap((family) => {
    const adjusted = adjustedByHolm(family.map(({ p }) => p));
    return family.map((each, i) => ({
      ...each,
      adjustedP: adjusted[i]!,
      significant: adjusted[i]! < 1 - CONFIDENCE,
    }));
  });
}

/** What devices measured of both on the same examples. */
async function pairedDifferences(
  { measurements }: Pick<MetadataStore, "measurements">,
  a: VersionRecord,
  b: VersionRecord,
): Promise<Omit<Raw, "first" | "second">[]> {
  if (a.model !== b.model) return [];
  const record = await measurements.ofPair(a.model, a.version, b.version);
  // Each bound holds with the confidence by itself; both together with 95 %.
  const found = record && measuredComparison({ ...record, confidence: (1 + CONFIDENCE) / 2 });
  if (record === undefined || found === undefined || found === null) return [];
  const { view, examples } = found;
  const sign = record.version === a.version ? 1 : -1;
  return (["loss", "accuracy"] as const).flatMap((metric) => {
    const measured = view[metric];
    if (measured === null) return [];
    const bounds = [measured.lower * sign, measured.upper * sign].toSorted((x, y) => x - y) as [
      number,
      number,
    ];
    return [
      {
        metric,
        difference: measured.difference * sign,
        lower: bounds[0],
        upper: bounds[1],
        p: measured.p,
        method: "paired",
        examples: Math.round(examples),
      } as const,
    ];
  });
}

/** Shares of the same data set's examples. */
function shareDifferences(
  a: VersionRecord,
  b: VersionRecord,
  metrics: readonly Metric[],
  { first, second }: Pick<Raw, "first" | "second">,
): Raw[] {
  const [of, with_] = [a.lineage?.evaluation, b.lineage?.evaluation];
  if (of?.dataset === undefined || of.dataset !== with_?.dataset) return [];
  return metrics.flatMap(({ name, values }): Raw[] => {
    const [one, other] = [values[first], values[second]];
    // Only what has an interval is a share.
    if (!isShare(one) || !isShare(other)) return [];
    const found: ShareDifference = shareDifference(
      { share: one.value, count: of.examples },
      { share: other.value, count: with_.examples },
      CONFIDENCE,
    );
    return [{ metric: name, first, second, ...found, method: "independent", examples: of.examples }];
  });
}

function isShare(
  value: Metric["values"][number] | undefined,
): value is NonNullable<Metric["values"][number]> {
  return value !== undefined && value !== null && value.lower !== null && (value.examples ?? 0) > 0;
}
