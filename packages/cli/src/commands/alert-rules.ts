import type { AlertRuleInput, AlertRuleView } from "@tributary/api-client";
import { parseAlertRule } from "@tributary/protocol";
import type { Command } from "commander";
import { ruleLines } from "../alerts/alert-lines.ts";
import { addNamedDocuments } from "./named-documents.ts";

/** `tributary alerts rules list|show|set|enable|disable|remove`. */
export function addAlertRulesCommand(parent: Command): void {
  const command = parent
    .command("rules")
    .description("See and change what is looked at: rules that are built in, and rules of your own.");
  addNamedDocuments<AlertRuleView, AlertRuleInput>(command, {
    word: "rule",
    plural: "rules",
    command: "tributary alerts rules",
    example: "drift",
    about: {
      list: "List all rules, and how each stands.",
      set: "Add a rule, or change the one of its name, by a JSON document; its schema is at /schemas/alert-rule.json.",
      enable: "Look by a rule again.",
      disable: "Look by a rule no more: its alerts end. It can be enabled again.",
      remove:
        "Remove a rule of your own. One that is built in, and was changed, is again as it was; one that was not stays.",
    },
    parse: parseAlertRule,
    documentOf,
    lines: ruleLines,
    list: (api) => api.alertRules(),
    read: (api, name) => api.alertRule(name),
    write: (api, rule) => api.setAlertRule(rule),
    remove: (api, name) => api.removeAlertRule(name),
  });
}

/** What of a rule is an operator's to say. */
function documentOf(rule: AlertRuleView): AlertRuleInput {
  const { name, kind, enabled, severity, threshold, forMs, repeatMs, models, tasks, advice } = rule;
  return { name, kind, enabled, severity, threshold, forMs, repeatMs, models, tasks, advice };
}
