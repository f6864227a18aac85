import type { AlertRule } from "@tributary/protocol";
import type { SubjectScope } from "../access/subject-scope.ts";

/** A rule is seen by whoever sees every model and task that it names; one that names none, by all. */
export function seesRule(
  scope: SubjectScope,
  { models, tasks }: Pick<AlertRule, "models" | "tasks">,
): boolean {
  return models.every((model) => scope("view", { model })) && tasks.every((task) => scope("view", { task }));
}
