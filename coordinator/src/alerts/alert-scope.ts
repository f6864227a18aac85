import { failure, type ModelName } from "@tributary/core";
import type { AlertRule, AlertSubject, Right } from "@tributary/protocol";
import { may, type Principal } from "../access/principal.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";

/** What an alert, or the alerts that a silence holds for, are about. */
type About = Pick<AlertSubject, "model" | "task">;

/** Whether whoever asks may see, or change, what is about a model or a task. What names neither is of all models. */
export type AlertScope = (right: Right, about: About) => boolean;

/** Of whoever looks from within. */
export const EVERY_ALERT: AlertScope = () => true;

export async function alertScope(
  principal: Principal | null,
  store: Pick<MetadataStore, "tasks">,
): Promise<AlertScope> {
  if (principal === null) return () => false;
  if (may(principal, "operate")) return EVERY_ALERT;
  const models = new Map<string, ModelName>(
    (await store.tasks.list()).map(({ name, model }) => [name, model]),
  );
  return (right, { model, task }) => {
    if (may(principal, right)) return true;
    const of = model ?? (task === undefined ? undefined : models.get(task));
    return of !== undefined && may(principal, right, of);
  };
}

/** A rule is seen by whoever sees every model and task that it names; one that names none, by all. */
export function seesRule(scope: AlertScope, { models, tasks }: Pick<AlertRule, "models" | "tasks">): boolean {
  return models.every((model) => scope("view", { model })) && tasks.every((task) => scope("view", { task }));
}

/** @throws `identity/forbidden` */
export function requireOperator(scope: AlertScope, about: About, what: string): void {
  if (scope("operate", about)) return;
  throw failure(
    "identity/forbidden",
    `alerts: ${what} ${JSON.stringify(about)}: that is not whoever asks to change; name a model, or a task of one, that they operate`,
    { detail: { needs: "operate" } },
  );
}
