import { createApiClient, type AlertRuleInput, type AlertRuleView } from "@tributary/api-client";
import { LIMITS, parseAlertRule, parseJson } from "@tributary/protocol";
import type { Command } from "commander";
import { ruleLines } from "../alerts/alert-lines.ts";
import { examples } from "../examples.ts";
import {
  dataDirOption,
  operatorToken,
  operatorTokenIfAny,
  urlOption,
  type OperatorOptions,
} from "../operator.ts";
import { readInput } from "../read-input.ts";

interface Options extends OperatorOptions {
  readonly json?: boolean;
}

/** `tributary alerts rules list|show|set|enable|disable|remove`. */
export function addAlertRulesCommand(parent: Command): void {
  const command = parent
    .command("rules")
    .description("See and change what is looked at: rules that are built in, and rules of your own.");
  const withOperator = (sub: Command): Command =>
    sub.addOption(urlOption()).addOption(dataDirOption()).option("--json", "print one JSON object");

  withOperator(command.command("list"))
    .description("List all rules, and how each stands.")
    .addHelpText("after", examples("tributary alerts rules list"))
    .action(async (options: Options) => {
      const api = createApiClient({ baseUrl: options.url, token: operatorTokenIfAny(options) });
      const rules = await api.alertRules();
      if (options.json === true) return console.log(JSON.stringify({ rules }));
      for (const line of ruleLines(rules)) console.log(line);
    });

  withOperator(command.command("show"))
    .description("Print the document of a rule, to be changed and set again.")
    .argument("<rule>", "its name")
    .addHelpText("after", examples("tributary alerts rules show drift > drift.json"))
    .action(async (name: string, options: Options) => {
      const api = createApiClient({ baseUrl: options.url, token: operatorTokenIfAny(options) });
      const rule = await api.alertRule(name);
      console.log(options.json === true ? JSON.stringify(rule) : JSON.stringify(documentOf(rule), null, 2));
    });

  withOperator(command.command("set"))
    .description(
      "Add a rule, or change the one of its name, by a JSON document; its schema is at /schemas/alert-rule.json.",
    )
    .argument("<file>", "the document")
    .addHelpText("after", examples("tributary alerts rules set drift.json"))
    .action(async (file: string, options: Options) => {
      const rule = parseAlertRule(parseJson("alert rule", await readInput(file), LIMITS.maxTaskSpecBytes));
      print(await writing(options).setAlertRule(rule), options);
    });

  for (const [name, enabled] of [
    ["enable", true],
    ["disable", false],
  ] as const)
    withOperator(command.command(name))
      .description(
        enabled
          ? "Look by a rule again."
          : "Look by a rule no more: its alerts end. It can be enabled again.",
      )
      .argument("<rule>", "its name")
      .addHelpText("after", examples(`tributary alerts rules ${name} push-slow`))
      .action(async (rule: string, options: Options) => {
        const api = writing(options);
        print(await api.setAlertRule({ ...documentOf(await api.alertRule(rule)), enabled }), options);
      });

  withOperator(command.command("remove"))
    .description("Remove a rule of your own. One that is built in, and was changed, is again as it was.")
    .argument("<rule>", "its name")
    .addHelpText("after", examples("tributary alerts rules remove night"))
    .action(async (rule: string, options: Options) => {
      await writing(options).removeAlertRule(rule);
      if (options.json === true) return console.log(JSON.stringify({ removed: rule }));
      console.log(`rule ${rule} was removed`);
    });
}

function writing(options: OperatorOptions) {
  return createApiClient({ baseUrl: options.url, token: operatorToken(options) });
}

function print(rule: AlertRuleView, { json }: Options): void {
  if (json === true) return console.log(JSON.stringify(rule));
  for (const line of ruleLines([rule])) console.log(line);
}

/** What of a rule is an operator's to say. */
function documentOf(rule: AlertRuleView): AlertRuleInput {
  const { name, kind, enabled, severity, threshold, forMs, repeatMs, models, tasks, advice } = rule;
  return { name, kind, enabled, severity, threshold, forMs, repeatMs, models, tasks, advice };
}
