import { asModelName, asTaskName, failure, type ModelName, type TaskName } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { VersionRecord } from "../ports/model-records.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { versionInPath, versionOf } from "../registry/aliases.ts";

/** A task or a version that is compared, with what is known of both. */
export interface Subject {
  readonly ref: string;
  readonly kind: "task" | "version";
  /** Undefined: the version was published. */
  readonly task: TaskRecord | undefined;
  /** Undefined: the task has made none. */
  readonly version: VersionRecord | undefined;
}

type Stored = Pick<MetadataStore, "tasks" | "models" | "versions" | "aliases" | "rounds">;

/**
 * What a reference names: a task, or `model@12`.
 *
 * @throws `coordinator/unknown-task`, `coordinator/unknown-model`, `coordinator/unknown-version`, `coordinator/unknown-alias`
 */
export async function subjectOf(
  store: Stored,
  ref: string,
  sees: (model: ModelName) => boolean = () => true,
): Promise<Subject> {
  const [name, wanted] = ref.split("@") as [string, string?];
  if (wanted === undefined) {
    const task = await store.tasks.get(asTaskName(name));
    if (task === undefined || !sees(task.model))
      throw failure("coordinator/unknown-task", `compare: no task "${name}"; a version is named model@12`, {
        detail: { task: name },
      });
    const newest = await store.rounds.newestVersion(task.name);
    return {
      ref,
      kind: "task",
      task,
      version: newest === null ? undefined : await store.versions.get(task.model, newest),
    };
  }
  const model = asModelName(name);
  if (!sees(model))
    throw failure("coordinator/unknown-model", `compare: no model "${name}"`, { detail: { model } });
  const version = await versionOf(store, model, versionInPath(wanted));
  const maker = version.roundId === null ? undefined : (await store.rounds.get(version.roundId))?.task;
  return { ref, kind: "version", task: await taskOf(store, maker), version };
}

async function taskOf(store: Stored, name: TaskName | undefined): Promise<TaskRecord | undefined> {
  return name === undefined ? undefined : store.tasks.get(name);
}
