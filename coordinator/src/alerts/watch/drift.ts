import type { DriftView } from "@tributary/protocol";
import type { MeasurementRecord, TaskRecord } from "../../ports/task-records.ts";
import { driftReference } from "../../registry/drift-reference.ts";
import { driftViews } from "../../registry/drift-view.ts";
import type { AlertSignals, Finding, Watch } from "../finding.ts";

/** What is shown of several that drifted. */
const NAMED = 3;

export interface MeasuredDrift {
  readonly measurement: MeasurementRecord;
  /** The one that drifted most first. */
  readonly views: readonly DriftView[];
}

/** How far the last measurement of a task of telemetry lies from its reference; undefined: there is none. */
export async function latestDrift(
  signals: { readonly store: Pick<AlertSignals["store"], "measurements"> } & Pick<AlertSignals, "blobs">,
  task: TaskRecord,
): Promise<MeasuredDrift | undefined> {
  const [measurement] = await signals.store.measurements.list(task.name, { limit: 1 });
  if (measurement === undefined) return undefined;
  return { measurement, views: driftViews(measurement, await driftReference(signals, task)) };
}

/** Those that lie so far from their reference, and further than chance. */
export function drifted({ views }: Pick<MeasuredDrift, "views">, psi: number): readonly DriftView[] {
  return views.filter((view) => view.psi >= psi && view.beyondNoise).toSorted((a, b) => b.psi - a.psi);
}

/** Of what devices tell of their data; looks at each measurement once. */
export function createDriftWatch(): Watch {
  const known = new Map<string, { readonly key: string; readonly found: MeasuredDrift | undefined }>();
  return async (signals, _, { threshold }) => {
    const findings: Finding[] = [];
    for (const task of await signals.store.tasks.list()) {
      if (task.spec.kind !== "telemetry" || task.state === "finished") continue;
      const [newest] = await signals.store.measurements.list(task.name, { limit: 1 });
      const key = `${newest?.roundId} ${task.plan.digest}`;
      const cached = known.get(task.name);
      const found = cached?.key === key ? cached.found : await latestDrift(signals, task);
      known.set(task.name, { key, found });
      const beyond = found === undefined ? [] : drifted(found, threshold);
      const [worst] = beyond;
      if (worst === undefined) continue;
      const named = beyond.slice(0, NAMED).map(({ metric, psi }) => `${metric} (${psi.toFixed(2)})`);
      const more = beyond.length > NAMED ? ` and ${beyond.length - NAMED} more` : "";
      findings.push({
        subject: { task: task.name, model: task.model },
        value: worst.psi,
        summary: `What devices of ${task.name} see has drifted: ${named.join(", ")}${more}`,
        advice: `tributary task results ${task.name} shows the distributions; training on newer data follows them.`,
      });
    }
    return findings;
  };
}
