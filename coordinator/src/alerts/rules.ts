import { failure, type Env } from "@tributary/core";
import {
  BUILT_IN_ALERT_RULES,
  parseAlertRule,
  type AlertRule,
  type AlertRuleView,
  type AuditActor,
} from "@tributary/protocol";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import { alertRuleRemoved, alertRuleSet } from "./alert-records.ts";

/** Own rules that are kept. */
export const MAX_ALERT_RULES = 200;

export interface KnownRule {
  readonly rule: AlertRule;
  readonly origin: AlertRuleView["origin"];
}

/** What is looked at: the rules that are built in, as operators have them, and those of their own; by name. */
export async function alertRules({
  alertRules: stored,
}: Pick<MetadataRepositories, "alertRules">): Promise<KnownRule[]> {
  const changed = new Map((await stored.list()).map(({ rule }) => [rule.name, rule]));
  const builtIn = BUILT_IN_ALERT_RULES.map((rule): KnownRule => {
    const other = changed.get(rule.name);
    changed.delete(rule.name);
    return other === undefined ? { rule, origin: "built-in" } : { rule: other, origin: "changed" };
  });
  const own = Array.from(changed.values(), (rule): KnownRule => ({ rule, origin: "own" }));
  return [...builtIn, ...own].toSorted((a, b) => (a.rule.name < b.rule.name ? -1 : 1));
}

/**
 * Stores a rule in the place of the one that has its name.
 *
 * @throws `protocol/invalid-document`; `coordinator/too-many-alert-rules`
 */
export async function setAlertRule(
  { store, env }: { readonly store: MetadataStore; readonly env: Pick<Env, "clock"> },
  name: string,
  document: unknown,
  by: AuditActor,
): Promise<AlertRule> {
  const named = typeof document === "object" && document !== null ? { name, ...document } : document;
  const rule = parseAlertRule(named);
  const wrong = nameFault(rule, name);
  if (wrong !== undefined)
    throw failure("protocol/invalid-document", `alerts: rule "${name}": ${wrong.problem}`, {
      detail: { document: "alert rule", ...wrong },
    });
  await store.transaction(async (tx) => {
    const own = (await alertRules(tx)).filter(({ origin }) => origin === "own");
    if (own.length >= MAX_ALERT_RULES && own.every((each) => each.rule.name !== name))
      throw failure("coordinator/too-many-alert-rules", `alerts: there are ${own.length} rules`, {
        detail: { maxRules: MAX_ALERT_RULES },
      });
    const changedAt = env.clock.now();
    await tx.alertRules.put({ rule, changedAt });
    await tx.audit.append([alertRuleSet(by, rule)], changedAt);
  });
  return rule;
}

function nameFault(
  rule: AlertRule,
  name: string,
): { readonly path: string; readonly problem: string } | undefined {
  if (rule.name !== name) return { path: "/name", problem: `must be "${name}" as in the address` };
  const builtIn = BUILT_IN_ALERT_RULES.find((each) => each.name === name);
  if (builtIn === undefined || builtIn.kind === rule.kind) return undefined;
  return { path: "/kind", problem: `of "${name}", which is built in, is "${builtIn.kind}"` };
}

/**
 * Removes a rule of an operator's own; one that is built in is again as it was.
 *
 * @throws `coordinator/unknown-alert-rule`, `coordinator/alert-rule-unchanged` for one that is built in and as it was
 */
export async function removeAlertRule(
  { store, env }: { readonly store: MetadataStore; readonly env: Pick<Env, "clock"> },
  name: string,
  by: AuditActor,
): Promise<void> {
  await store.transaction(async (tx) => {
    if (!(await tx.alertRules.remove(name)))
      throw BUILT_IN_ALERT_RULES.some((rule) => rule.name === name) ? unchangedRule(name) : unknownRule(name);
    await tx.audit.append([alertRuleRemoved(by, name)], env.clock.now());
  });
}

function unchangedRule(name: string): Error {
  return failure(
    "coordinator/alert-rule-unchanged",
    `alerts: rule "${name}" is built in and was not changed`,
    {
      detail: { rule: name },
    },
  );
}

export function unknownRule(name: string): Error {
  return failure("coordinator/unknown-alert-rule", `alerts: no rule "${name}"`, { detail: { rule: name } });
}
