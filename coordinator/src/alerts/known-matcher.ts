import { failure } from "@tributary/core";
import type { NewSilence } from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { alertRules, unknownRule } from "./rules.ts";

/**
 * A silence of what there is not would hide nothing, and nobody would know.
 *
 * @throws `coordinator/unknown-alert-rule`, `coordinator/unknown-model`, `coordinator/unknown-task`
 */
export async function requireKnownMatcher(
  store: Pick<MetadataStore, "alertRules" | "models" | "tasks">,
  { rule, model, task }: NewSilence["matcher"],
): Promise<void> {
  if (rule !== undefined && (await alertRules(store)).every((known) => known.rule.name !== rule))
    throw unknownRule(rule);
  if (model !== undefined && (await store.models.get(model)) === undefined)
    throw failure("coordinator/unknown-model", `alerts: no model "${model}"`, { detail: { model } });
  if (task !== undefined && (await store.tasks.get(task)) === undefined)
    throw failure("coordinator/unknown-task", `alerts: no task "${task}"`, { detail: { task } });
}
