import type { PolicyDecisionView, PolicyInput, PolicyView } from "@tributary/api-client";
import { parsePolicy } from "@tributary/protocol";
import { Command } from "commander";
import { examples } from "../examples.ts";
import { online, readerApi, type OnlineOptions } from "../operator.ts";
import { printNext, withPaging, type Paging } from "../paging.ts";
import { tableLines, type TableColumn } from "../table.ts";
import { addNamedDocuments } from "./named-documents.ts";

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
  addNamedDocuments<PolicyView, PolicyInput>(command, {
    word: "policy",
    plural: "policies",
    command: "tributary policy",
    example: "follow",
    about: {
      list: "List policies, and whether each may decide now.",
      set: "Add a policy, or change the one of its name, by a JSON document; its schema is at /schemas/policy.json.",
      enable: "Let a policy decide again.",
      disable: "Stop a policy at once: it decides nothing until it is enabled.",
      remove: "Remove a policy. What it decided stays in the audit log.",
    },
    parse: (json) => parsePolicy(json) as PolicyInput,
    documentOf,
    lines: (policies) =>
      policies.length === 0 ? ["no policies: operators decide"] : tableLines(POLICIES, policies),
    list: (api) => api.policies(),
    read: (api, name) => api.policy(name),
    write: (api, policy) => api.setPolicy(policy),
    remove: (api, name) => api.removePolicy(name),
  });

  withPaging(online(command.command("decisions")), { most: 500, standard: 20 })
    .description("Show what was decided, newest first: of one policy or of all.")
    .argument("[policy]", "its name")
    .addHelpText(
      "after",
      examples("tributary policy decisions", "tributary policy decisions follow --limit 5"),
    )
    .action(async (policy: string | undefined, { limit, cursor, ...options }: OnlineOptions & Paging) => {
      const { decisions, next } = await readerApi(options).policyDecisions({ policy, limit, cursor });
      if (options.json === true) return console.log(JSON.stringify({ decisions, next }));
      if (decisions.length === 0) return console.log("nothing was decided yet");
      for (const line of tableLines(DECISIONS, decisions)) console.log(line);
      printNext(next);
    });
  return command;
}

/** What of a policy is an operator's to say. */
function documentOf({ name, enabled, dryRun, cooldownMs, budget, does }: PolicyView): PolicyInput {
  return { name, enabled, dryRun, cooldownMs, budget, does };
}
