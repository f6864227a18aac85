import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ModelLookups } from "./guard.ts";

/** Which model an object belongs to, by what is stored of it. */
export function modelLookups(
  store: () => Pick<MetadataStore, "tasks" | "rounds" | "releases">,
): ModelLookups {
  return {
    task: async (name) => (await store().tasks.get(name))?.model,
    round: async (id) => (await store().rounds.get(id))?.model,
    role: async (name) => (await store().releases.roles()).find(({ role }) => role === name)?.model,
  };
}
