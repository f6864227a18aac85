import { failure, type ModelName } from "@tributary/core";
import type { CompareView, TaskSpec } from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { timestamp } from "../registry/views.ts";
import { sideBySide } from "./flatten.ts";
import { CONFIDENCE, differencesOf, metricsOf } from "./metric-differences.ts";
import { subjectOf, type Subject } from "./subjects.ts";
import { thinCurve } from "./thin-curve.ts";

type Stored = Pick<MetadataStore, "tasks" | "models" | "versions" | "aliases" | "rounds" | "measurements">;

/** Rounds of a task that a curve is made of, at most: the newest. */
const COURSE_ROUNDS = 10_000;

/**
 * Tasks and versions side by side.
 *
 * @param refs two to six
 * @param sees whether whoever asks sees what is of a model: what they do not is not there for them
 * @throws as `subjectOf`; `http/bad-request` where one is named twice
 */
export async function compare(
  store: Stored,
  refs: readonly string[],
  sees?: (model: ModelName) => boolean,
): Promise<CompareView> {
  const twice = refs.find((ref, i) => refs.indexOf(ref) !== i);
  if (twice !== undefined)
    throw failure("http/bad-request", `compare: "${twice}" is named twice; name each once`, {
      detail: { of: twice },
    });
  const subjects: Subject[] = [];
  for (const ref of refs) subjects.push(await subjectOf(store, ref, sees));
  const versions = subjects.map(({ version }) => version);
  const metrics = metricsOf(versions);
  const told: CompareView["subjects"][number][] = [];
  for (const subject of subjects) told.push(await subjectView(store, subject));
  return {
    subjects: told,
    parameters: sideBySide(
      subjects.map(documentOf),
      // A published version has no task's document.
      subjects.map(({ task }) => task === undefined),
    ),
    metrics,
    differences: await differencesOf(store, versions, metrics),
    confidence: CONFIDENCE,
  };
}

async function subjectView(
  store: Stored,
  { ref, kind, task, version }: Subject,
): Promise<CompareView["subjects"][number]> {
  const upTo = kind === "version" && version?.roundId ? await store.rounds.get(version.roundId) : undefined;
  const course =
    task === undefined
      ? []
      : await store.rounds.course(task.name, {
          limit: COURSE_ROUNDS,
          ...(upTo === undefined ? {} : { upTo: upTo.number }),
        });
  return {
    ref,
    kind,
    model: (version ?? task)!.model,
    task: task?.name ?? null,
    version: version?.version ?? null,
    strategy: version?.strategy?.name ?? task?.spec.strategy.name ?? null,
    at: timestamp((kind === "task" ? task : version)!.createdAt),
    curve: thinCurve(course),
  };
}

/** What tells one from another: the task's document, and how the version came about. */
function documentOf({ task, version }: Subject): object {
  const { name: _, formatVersion: __, ...spec }: Partial<TaskSpec> = task?.spec ?? {};
  return {
    ...spec,
    ...(version === undefined
      ? {}
      : {
          model: version.model,
          version: {
            parent: version.parentVersion,
            cohort: version.cohort,
            examples: version.numExamples,
            parameters: version.parameterCount,
            sizeBytes: version.weights.sizeBytes,
            evaluation: version.lineage?.evaluation?.dataset ?? null,
            evaluationExamples: version.lineage?.evaluation?.examples ?? null,
          },
        }),
  };
}
