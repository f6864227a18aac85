import { metricSchemaOf } from "@tributary/federation";
import { isOutdatedComparison } from "@tributary/federation/planning";
import {
  accuracyInterval,
  designEffect,
  lossInterval,
  mcNemarTest,
  pairedTTest,
  readMetrics,
  readPaired,
  type Histogram,
} from "@tributary/metrics";
import type { ComparisonView, MeasurementView } from "@tributary/protocol";
import type { MeasurementRecord } from "../ports/task-records.ts";
import { driftViews, type DriftReference } from "./drift-view.ts";
import { timestamp } from "./views.ts";

export function measurementView(record: MeasurementRecord, reference: DriftReference): MeasurementView {
  const { metrics, sums, confidence: _, at, ...rest } = record;
  const reading = readMetrics(metricSchemaOf(metrics), Float64Array.from(sums));
  const histograms: Readonly<Record<string, Histogram>> = reading.histograms;
  return {
    ...rest,
    at: timestamp(at),
    counters: { ...reading.counters },
    histograms: Object.fromEntries(
      Object.entries(histograms).map(([name, { bins, counts }]) => [
        name,
        { edges: bins.edges, counts: Array.from(counts) },
      ]),
    ),
    comparison: measuredComparison(record)?.view ?? null,
    drift: driftViews(record, reference),
  };
}

/** What a round found of two versions, on so many examples; null: it measured one, or by an earlier release's sums. */
export function measuredComparison(
  record: MeasurementRecord,
): { readonly view: ComparisonView; readonly examples: number } | null {
  if (record.candidate === null || isOutdatedComparison(record.metrics)) return null;
  return { view: comparisonOf(record), examples: readPaired(Float64Array.from(record.sums)).examples };
}

/** What the sums say of the difference; nothing that fewer devices than it takes could say. */
function comparisonOf({ sums, devices, confidence }: MeasurementRecord): ComparisonView {
  const paired = { ...readPaired(Float64Array.from(sums)), devices };
  const loss = lossInterval(paired, confidence);
  const accuracy = accuracyInterval(paired, confidence);
  const p = pairedTTest(paired);
  const mcNemarP = mcNemarTest(paired);
  // Of a loss that knows no hits, nothing is right and nothing was.
  const knowsHits = paired.currentCorrect + paired.candidateCorrect > 0;
  return {
    loss:
      loss === undefined || p === undefined
        ? null
        : {
            difference: loss.mean,
            lower: loss.lower,
            upper: loss.upper,
            p,
            designEffect: designEffect(paired) ?? null,
          },
    accuracy:
      accuracy === undefined || mcNemarP === undefined || !knowsHits
        ? null
        : {
            difference: accuracy.mean,
            lower: accuracy.lower,
            upper: accuracy.upper,
            lost: paired.lost,
            gained: paired.gained,
            p: mcNemarP,
          },
    confidence,
  };
}
