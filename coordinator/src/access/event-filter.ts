import type { ModelName, TaskName } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { isOfAccess } from "../audit/record-event.ts";
import { may, type Principal } from "./principal.ts";

/** An event as streams have it. */
interface StreamedEvent {
  readonly type: string;
  readonly data: unknown;
}

/** What of the event stream a principal sees. */
export type EventFilter = (event: StreamedEvent) => boolean;

const everything: EventFilter = () => true;

const butAccess: EventFilter = ({ type, data }) =>
  type !== "record" || !isOfAccess((data as { readonly action: string }).action);

/**
 * Events of the models that a principal sees. What names no model, nor a task of one, is hidden from whoever does not see all: an event of a
 * kind that is added later is not shown by accident.
 */
export async function eventFilter(
  principal: Principal | null,
  store: Pick<MetadataStore, "tasks">,
): Promise<EventFilter> {
  if (principal === null) return () => false;
  if (may(principal, "view")) return may(principal, "audit") ? everything : butAccess;
  // A task's model never changes.
  const models = new Map<string, ModelName>(
    (await store.tasks.list()).map(({ name, model }) => [name, model]),
  );
  return ({ type, data }) => {
    // Counts of devices, and whether anything can be stored.
    if (type === "devices" || type === "storage") return true;
    // An alert says of what it is in its subject.
    const { model, task, name } = (
      type === "alert" ? (data as { readonly subject: object }).subject : data
    ) as {
      readonly model?: ModelName | null;
      readonly task?: TaskName | null;
      readonly name?: TaskName;
    };
    if (type === "task" && model && name !== undefined) models.set(name, model);
    const of = model ?? (task ? models.get(task) : undefined);
    return of !== undefined && may(principal, "view", of);
  };
}
