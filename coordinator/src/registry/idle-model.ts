import { failure } from "@tributary/core";
import type { TaskSpec } from "@tributary/protocol";
import type { TaskRepository } from "../ports/task-repositories.ts";

/**
 * A version grows out of the newest one, so that of two tasks on one model the faster would throw away every round of the
 * slower: one task trains a model at a time. Tasks that only measure make no versions.
 *
 * @throws `coordinator/model-busy`
 */
export async function requireIdleModel(
  tasks: Pick<TaskRepository, "list">,
  { name, model, kind }: Pick<TaskSpec, "name" | "model" | "kind">,
): Promise<void> {
  if (kind !== "train") return;
  const other = (await tasks.list()).find(
    (task) =>
      task.model === model && task.name !== name && task.state === "running" && task.spec.kind === "train",
  );
  if (other === undefined) return;
  throw failure(
    "coordinator/model-busy",
    `registry: task "${other.name}" is training "${model}"; pause it before "${name}" runs`,
    { detail: { model, task: other.name } },
  );
}
