import {
  createApiClient,
  type ApiClient,
  type PolicyDecisionView,
  type PolicyInput,
  type PolicyView,
} from "@tributary/api-client";
import { LIMITS, parseJson, parsePolicy } from "@tributary/protocol";
import { Command } from "commander";
import { examples } from "../examples.ts";
import {
  dataDirOption,
  operatorToken,
  operatorTokenIfAny,
  urlOption,
  type OperatorOptions,
} from "../operator.ts";
import { printNext, withPaging, type Paging } from "../paging.ts";
import { readInput } from "../read-input.ts";
import { tableLines, type TableColumn } from "../table.ts";

interface Options extends OperatorOptions {
  readonly json?: boolean;
}

const POLICIES: readonly TableColumn<PolicyView>[] = [
  { title: "policy", cell: ({ name }) => name },
  { title: "does", cell: ({ does }) => does.kind },
  {
    title: "of",
    cell: ({ does }) =>
      does.kind === "promote" ? `${does.model} by ${does.by}` : `${does.task} by ${does.telemetryTask}`,
  },
  { title: "state", cell: ({ state, dryRun }) => (dryRun ? `${state}, dry run` : state) },
  { title: "until", cell: ({ waitsUntil }) => waitsUntil ?? "" },
  { title: "last decision", cell: ({ lastDecision }) => lastDecision?.at ?? "none" },
];

const DECISIONS: readonly TableColumn<PolicyDecisionView>[] = [
  { title: "at", cell: ({ at }) => at },
  { title: "policy", cell: ({ policy }) => policy },
  { title: "outcome", cell: ({ outcome }) => outcome },
  { title: "why", cell: ({ reason }) => reason },
];

/** `tributary policy list|show|set|enable|disable|remove|decisions`. */
export function policyCommand(): Command {
  const command = new Command("policy").description(
    "Have the coordinator decide by itself: train where data drifts, promote what its gate found good. Each decision is in the audit log with its evidence.",
  );
  const withOperator = (sub: Command): Command =>
    sub.addOption(urlOption()).addOption(dataDirOption()).option("--json", "print one JSON object");

  withOperator(command.command("list"))
    .description("List policies, and whether each may decide now.")
    .addHelpText("after", examples("tributary policy list"))
    .action(async (options: Options) => {
      const policies = await reading(options).policies();
      if (options.json === true) return console.log(JSON.stringify({ policies }));
      if (policies.length === 0) return console.log("no policies: operators decide");
      for (const line of tableLines(POLICIES, policies)) console.log(line);
    });

  withOperator(command.command("show"))
    .description("Print the document of a policy, to be changed and set again.")
    .argument("<policy>", "its name")
    .addHelpText("after", examples("tributary policy show follow > follow.json"))
    .action(async (name: string, options: Options) => {
      const policy = await reading(options).policy(name);
      console.log(
        options.json === true ? JSON.stringify(policy) : JSON.stringify(documentOf(policy), null, 2),
      );
    });

  withOperator(command.command("set"))
    .description(
      "Add a policy, or change the one of its name, by a JSON document; its schema is at /schemas/policy.json.",
    )
    .argument("<file>", "the document")
    .addHelpText("after", examples("tributary policy set follow.json"))
    .action(async (file: string, options: Options) => {
      const policy = parsePolicy(parseJson("policy", await readInput(file), LIMITS.maxTaskSpecBytes));
      print(await writing(options).setPolicy(policy as PolicyInput), options);
    });

  for (const [name, enabled] of [
    ["enable", true],
    ["disable", false],
  ] as const)
    withOperator(command.command(name))
      .description(
        enabled
          ? "Let a policy decide again."
          : "Stop a policy at once: it decides nothing until it is enabled.",
      )
      .argument("<policy>", "its name")
      .addHelpText("after", examples(`tributary policy ${name} follow`))
      .action(async (policy: string, options: Options) => {
        const api = writing(options);
        print(await api.setPolicy({ ...documentOf(await api.policy(policy)), enabled }), options);
      });

  withOperator(command.command("remove"))
    .description("Remove a policy. What it decided stays in the audit log.")
    .argument("<policy>", "its name")
    .addHelpText("after", examples("tributary policy remove follow"))
    .action(async (policy: string, options: Options) => {
      await writing(options).removePolicy(policy);
      if (options.json === true) return console.log(JSON.stringify({ removed: policy }));
      console.log(`policy ${policy} was removed`);
    });

  withPaging(withOperator(command.command("decisions")), { most: 500, standard: 20 })
    .description("Show what was decided, newest first: of one policy or of all.")
    .argument("[policy]", "its name")
    .addHelpText(
      "after",
      examples("tributary policy decisions", "tributary policy decisions follow --limit 5"),
    )
    .action(async (policy: string | undefined, { limit, cursor, ...options }: Options & Paging) => {
      const { decisions, next } = await reading(options).policyDecisions({ policy, limit, cursor });
      if (options.json === true) return console.log(JSON.stringify({ decisions, next }));
      if (decisions.length === 0) return console.log("nothing was decided yet");
      for (const line of tableLines(DECISIONS, decisions)) console.log(line);
      printNext(next);
    });
  return command;
}

const reading = (options: OperatorOptions): ApiClient =>
  createApiClient({ baseUrl: options.url, token: operatorTokenIfAny(options) });
const writing = (options: OperatorOptions): ApiClient =>
  createApiClient({ baseUrl: options.url, token: operatorToken(options) });

function print(policy: PolicyView, { json }: Options): void {
  if (json === true) return console.log(JSON.stringify(policy));
  for (const line of tableLines(POLICIES, [policy])) console.log(line);
}

/** What of a policy is an operator's to say. */
function documentOf({ name, enabled, dryRun, cooldownMs, budget, does }: PolicyView): PolicyInput {
  return { name, enabled, dryRun, cooldownMs, budget, does };
}
