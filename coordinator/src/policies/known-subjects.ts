import { failure, type ModelName, type TaskName } from "@tributary/core";
import { invalidDocument, parseRolloutSpec, promotionRollout, type Policy } from "@tributary/protocol";
import type { MetadataRepositories } from "../ports/metadata-store.ts";
import type { TaskRecord } from "../ports/task-records.ts";

type Known = Pick<MetadataRepositories, "tasks" | "models">;

/**
 * What a policy names is there, and is what the policy takes it for: it would be found out when it decides, and nobody looks then.
 *
 * @throws `coordinator/unknown-model`, `coordinator/unknown-task`, `protocol/invalid-document`
 */
export async function requireKnownSubjects(known: Known, { does }: Policy): Promise<void> {
  if (does.kind === "train-on-drift") {
    requireKind(await taskOf(known, does.task), "train", "/does/task");
    requireKind(await taskOf(known, does.telemetryTask), "telemetry", "/does/telemetryTask");
    return;
  }
  const { model } = does;
  if ((await known.models.get(model)) === undefined)
    throw failure("coordinator/unknown-model", `policies: no model "${model}"`, { detail: { model } });
  if (does.by !== "rollout") return;
  const { telemetryTask } = parseRolloutSpec(promotionRollout(does, 1));
  if (telemetryTask === null) return;
  const path = "/does/rollout/telemetryTask";
  const task = await taskOf(known, telemetryTask);
  requireKind(task, "telemetry", path);
  if (task.model !== model) throw invalidDocument("policy", path, ofAnother(task, model));
}

async function taskOf({ tasks }: Known, name: TaskName): Promise<TaskRecord> {
  const task = await tasks.get(name);
  if (task !== undefined) return task;
  throw failure("coordinator/unknown-task", `policies: no task "${name}"`, { detail: { task: name } });
}

function requireKind({ name, spec }: TaskRecord, kind: TaskRecord["spec"]["kind"], path: string): void {
  if (spec.kind === kind) return;
  throw invalidDocument("policy", path, `names "${name}" of kind ${spec.kind}, expected one of kind ${kind}`);
}

function ofAnother({ name, model }: TaskRecord, wanted: ModelName): string {
  return `names "${name}" of the model "${model}", expected one of "${wanted}"`;
}
