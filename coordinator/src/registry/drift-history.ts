import { isOfClasses } from "@tributary/metrics";
import { PSI_LEVELS, type DriftHistory } from "@tributary/protocol";
import type { ModelRecord } from "../ports/model-records.ts";
import type { MeasurementRecord } from "../ports/task-records.ts";
import { driftViews, histogramsOf, referenceHistogram, type DriftReference } from "./drift-view.ts";
import { timestamp } from "./views.ts";

const SOURCE = "Siddiqi, Credit Risk Scorecards (2006): a rule of thumb, whatever the samples' sizes";

/**
 * How what devices measured moved away from its reference.
 *
 * @param records of a task, newest first
 */
export function driftHistory(
  {
    name: task,
    model: { name: model, labels },
  }: { readonly name: DriftHistory["task"]; readonly model: ModelRecord },
  records: readonly MeasurementRecord[],
  reference: DriftReference,
): Omit<DriftHistory, "next"> {
  const { first } = reference;
  const views = records.map(
    (record) => new Map(driftViews(record, reference).map((view) => [view.metric, view] as const)),
  );
  // Devices may measure other things from one plan to the next: of each the newest is told.
  const names = [...new Set(views.flatMap((each) => [...each.keys()]))];
  return {
    task,
    model,
    reference: {
      hasDataset: reference.dataset !== undefined,
      first:
        first === undefined
          ? null
          : { roundId: first.roundId, version: first.version, at: timestamp(first.at) },
    },
    levels: { ...PSI_LEVELS, source: SOURCE },
    measurements: records.map(({ roundId, version, at, devices }) => ({
      roundId,
      version,
      at: timestamp(at),
      devices,
    })),
    metrics: names.flatMap((name) => {
      const at = views.findIndex((each) => each.has(name));
      const latest = views[at]!.get(name)!;
      const histogram = histogramOf(name, records[at]!, reference, labels);
      if (histogram === undefined) return [];
      return [
        {
          name,
          subject: subjectOf(name),
          latest,
          histogram,
          history: views.map((each) => {
            const view = each.get(name);
            if (view === undefined) return null;
            const { psi, psiLimit, count, beyondNoise } = view;
            return { psi, psiLimit, count, beyondNoise };
          }),
        },
      ];
    }),
  };
}

function histogramOf(
  metric: string,
  record: MeasurementRecord,
  reference: DriftReference,
  labels: ModelRecord["labels"],
): DriftHistory["metrics"][number]["histogram"] | undefined {
  const now = histogramsOf(record)[metric];
  const document = record.metrics.find(({ name }) => name === metric);
  const before = document && referenceHistogram(document, record, reference);
  if (now === undefined || before === undefined) return undefined;
  return {
    edges: now.bins.edges,
    reference: Array.from(before.histogram.counts),
    now: Array.from(now.counts),
    classes: isOfClasses(metric) ? labels : null,
  };
}

function subjectOf(metric: string): DriftHistory["metrics"][number]["subject"] {
  if (metric === "predictions") return "prediction";
  if (metric === "labels") return "label";
  return metric === "confidence" ? "confidence" : "feature";
}
