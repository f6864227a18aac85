import { failure, type ModelName } from "@tributary/core";
import type { AlertSubject, Right } from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { may, type Principal } from "./principal.ts";

/** What an alert, a silence or a policy is about. */
export type About = Pick<AlertSubject, "model" | "task">;

/** Whether whoever asks may see, or change, what is about a model or a task. What names neither is of all models. */
export type SubjectScope = (right: Right, about: About) => boolean;

/** Of whoever looks from within. */
export const EVERY_SUBJECT: SubjectScope = () => true;

export async function subjectScope(
  principal: Principal | null,
  store: Pick<MetadataStore, "tasks">,
): Promise<SubjectScope> {
  if (principal === null) return () => false;
  if (may(principal, "operate")) return EVERY_SUBJECT;
  const models = new Map<string, ModelName>(
    (await store.tasks.list()).map(({ name, model }) => [name, model]),
  );
  return (right, { model, task }) => {
    if (may(principal, right)) return true;
    const of = model ?? (task === undefined ? undefined : models.get(task));
    return of !== undefined && may(principal, right, of);
  };
}

/**
 * @param what - is to be changed, and where that is decided: `alerts: a silence of`
 * @throws `identity/forbidden`
 */
export function requireOperate(scope: SubjectScope, about: About, what: string): void {
  if (scope("operate", about)) return;
  throw failure(
    "identity/forbidden",
    `${what} ${JSON.stringify(about)}: that is not whoever asks to change; name a model, or a task of one, that they operate`,
    { detail: { needs: "operate" } },
  );
}
