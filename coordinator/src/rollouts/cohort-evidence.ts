import type { ModelVersion } from "@tributary/core";
import { metricSchemaOf, type RolloutInput } from "@tributary/federation";
import { readMetrics, type Histogram } from "@tributary/metrics";
import { evidenceOf, type RolloutGate } from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { CohortMeans, RolloutEvidence, RolloutRecord } from "../ports/rollout-records.ts";
import type { MeasurementRecord } from "../ports/task-records.ts";

/** Rounds that are looked at at once: more than come between two looks. */
const LOOK_BACK = 200;

type Pair = Omit<Extract<RolloutInput, { readonly type: "cohorts" }>, "now">;

/** What a look at the sums of a telemetry task found. */
export interface CohortLook {
  readonly pairs: readonly Pair[];
  readonly evidence: RolloutEvidence;
}

/** Pairs each cohort on an arm's version with one on the control's, in the order in which they came. */
export async function lookAtCohorts(
  { measurements }: Pick<MetadataStore, "measurements">,
  { config, state, evidence, createdAt }: RolloutRecord,
): Promise<CohortLook> {
  const { telemetryTask, gates } = config.spec;
  if (telemetryTask === null) return { pairs: [], evidence };
  const newest = await measurements.list(telemetryTask, { limit: LOOK_BACK });
  const seen = newest.findIndex(({ roundId }) => roundId === evidence.round);
  const fresh = (seen < 0 ? newest : newest.slice(0, seen)).filter(({ at }) => at >= createdAt).toReversed();
  const live = state.arms.filter(({ ended }) => ended === null);
  const pairs: Pair[] = [];
  const cohorts = { ...evidence.cohorts };
  const waiting = { ...evidence.waiting };
  let { reference, round } = evidence;
  for (const record of fresh) {
    round = record.roundId;
    const ofControl = record.version === config.control;
    const arms = ofControl ? live : live.filter(({ version }) => version === record.version);
    if (arms.length === 0) continue;
    cohorts[record.version] = (cohorts[record.version] ?? 0) + 1;
    if (ofControl) reference ??= predictionsOf(record);
    const means = gates.map((gate) => meanOf(gate, record, reference));
    for (const { name } of arms) {
      const before = waiting[name] ?? {};
      const other = ofControl ? before.treated : before.control;
      if (other === undefined) {
        waiting[name] = ofControl ? { ...before, control: means } : { ...before, treated: means };
        continue;
      }
      waiting[name] = {};
      const [treated, control]: CohortMeans[] = ofControl ? [other, means] : [means, other];
      pairs.push(...pairsOf(name, treated!, control!));
    }
  }
  return { pairs, evidence: { ...evidence, round, cohorts, waiting, reference } };
}

/** Which version the next cohort of a telemetry task measures: the one that was measured least, the control first. */
export function nextMeasured({ config, state, evidence }: RolloutRecord): ModelVersion {
  const live = state.arms.filter(({ ended }) => ended === null).map(({ version }) => version);
  const count = (version: ModelVersion): number => evidence.cohorts[version] ?? 0;
  return [config.control, ...live].reduce((least, version) =>
    count(version) < count(least) ? version : least,
  );
}

/** That a plan's metrics have what a gate needs. */
export function measuresGate(gate: RolloutGate, names: readonly string[]): boolean {
  switch (gate.metric) {
    case "errors":
      return names.some((name) => name.startsWith("errors."));
    case "latency":
      return names.some((name) => name.startsWith("latency."));
    case "accuracy":
      return names.includes("feedback.answers");
    case "confidence":
      return names.includes("confidence");
    case "drift":
      return names.includes("predictions");
    case "crashes":
    case "self-checks":
      return false;
  }
}

function pairsOf(arm: string, treated: CohortMeans, control: CohortMeans): Pair[] {
  return treated.flatMap((mean, gate) => {
    const other = control[gate] ?? null;
    return mean === null || other === null
      ? []
      : [{ type: "cohorts" as const, arm, gate, treated: mean, control: other }];
  });
}

/** A cohort's mean by a gate, 0 to 1, more is worse; null where its devices told nothing of it. */
function meanOf(
  gate: RolloutGate,
  record: MeasurementRecord,
  reference: readonly number[] | null,
): number | null {
  if (evidenceOf(gate) !== "cohorts") return null;
  const { counters, histograms } = readingOf(record);
  const { runs = 0 } = counters;
  switch (gate.metric) {
    case "errors": {
      const failed = sum(
        Object.entries(counters).flatMap(([name, count]) => (name.startsWith("errors.") ? count : [])),
      );
      return share(failed, failed + runs);
    }
    case "latency": {
      const all = Object.entries(histograms).flatMap(([name, found]) =>
        name.startsWith("latency.") ? found : [],
      );
      const slow = all.flatMap(({ bins, counts }) => {
        const from = bins.edges.findIndex((edge) => edge >= gate.latencyMs! * (1 - 1e-9));
        return Array.from(counts).slice(from + 1);
      });
      return share(sum(slow), sum(all.flatMap(({ counts }) => Array.from(counts))));
    }
    case "accuracy": {
      const { "feedback.answers": answers = 0, "feedback.correct": correct = 0 } = counters;
      return share(answers - correct, answers);
    }
    case "confidence": {
      const found = histograms["confidence"];
      if (found === undefined) return null;
      const counts = Array.from(found.counts);
      return share(sum(counts.map((count, bin) => count * (1 - middle(found, bin)))), sum(counts));
    }
    case "drift": {
      const found = predictionsOf(record);
      return found === null || reference === null ? null : distance(found, reference);
    }
    case "crashes":
    case "self-checks":
      return null;
  }
}

function readingOf({ metrics, sums }: MeasurementRecord): {
  readonly counters: Readonly<Record<string, number>>;
  readonly histograms: Readonly<Record<string, Histogram>>;
} {
  return readMetrics(metricSchemaOf(metrics), Float64Array.from(sums));
}

/** Shares of the classes that were answered. */
function predictionsOf(record: MeasurementRecord): readonly number[] | null {
  const counts = Array.from(readingOf(record).histograms["predictions"]?.counts ?? []);
  const all = sum(counts);
  return all > 0 ? counts.map((count) => count / all) : null;
}

/** Total variation: the share of answers that would have to be others. */
function distance(found: readonly number[], reference: readonly number[]): number {
  return sum(found.map((share, i) => Math.abs(share - (reference[i] ?? 0)))) / 2;
}

function middle({ bins: { edges } }: Histogram, bin: number): number {
  const [low, high] = [edges[bin - 1] ?? 0, edges[bin] ?? 1];
  return Math.min(1, Math.max(0, (low + high) / 2));
}

function share(part: number, whole: number): number | null {
  return whole > 0 ? Math.min(1, Math.max(0, part / whole)) : null;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
