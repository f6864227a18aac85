import type { DeliveryView, NotificationChannelInput, NotificationChannelView } from "@tributary/api-client";
import { LIMITS, parseJson, parseNotificationChannel } from "@tributary/protocol";
import { Command } from "commander";
import { confirm } from "../confirm.ts";
import { examples } from "../examples.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { dataDirOption, operatorApi, urlOption, type OperatorOptions } from "../operator.ts";
import { printNext, withPaging, type Paging } from "../paging.ts";
import { readInput } from "../read-input.ts";
import { tableLines, type TableColumn } from "../table.ts";

interface Options extends OperatorOptions {
  readonly json?: boolean;
}

const CHANNELS: readonly TableColumn<NotificationChannelView>[] = [
  { title: "channel", cell: ({ name }) => name },
  { title: "kind", cell: ({ target }) => target.kind },
  { title: "to", cell: ({ host }) => host ?? "" },
  { title: "from", cell: ({ minimumSeverity }) => minimumSeverity },
  { title: "rules", cell: ({ rules }) => (rules.length === 0 ? "all" : rules.join(" ")) },
  { title: "state", cell: stateOf },
  { title: "last delivered", cell: ({ lastDeliveredAt }) => lastDeliveredAt ?? "never" },
];

const DELIVERIES: readonly TableColumn<DeliveryView>[] = [
  { title: "at", cell: ({ createdAt }) => createdAt },
  { title: "state", cell: ({ state }) => state },
  { title: "tries", align: "right", cell: ({ attempts }) => String(attempts) },
  { title: "what", cell: ({ purpose, summary }) => (purpose === "test" ? "a test" : summary) },
  { title: "last error", cell: ({ lastError }) => lastError ?? "" },
];

/** `tributary notify channels|set|remove|test|log`. */
export function notifyCommand(): Command {
  const command = new Command("notify").description(
    "Say where alerts are told: webhooks, Slack-compatible chats and mail. Hosts have to be allowed by whoever runs the coordinator: tributary serve --notify-host.",
  );
  const withOperator = (sub: Command): Command =>
    sub.addOption(urlOption()).addOption(dataDirOption()).option("--json", "print one JSON object");

  withOperator(command.command("channels"))
    .description("List notification channels, and how each fares.")
    .addHelpText("after", examples("tributary notify channels"))
    .action(async (options: Options) => {
      const channels = await operatorApi(options).notificationChannels();
      if (options.json === true) return console.log(JSON.stringify({ channels }));
      if (channels.length === 0) return console.log("no channels: alerts are told to nobody");
      for (const line of tableLines(CHANNELS, channels)) console.log(line);
    });

  withOperator(command.command("set"))
    .description(
      'Add a channel, or change the one of its name, by a JSON document; its schema is at /schemas/notification-channel.json. A secret is {"env": NAME}, {"file": NAME}, or {"value": TEXT}, which nothing ever shows again.',
    )
    .argument("<file>", "the document")
    .addHelpText("after", examples("tributary notify set ops.json"))
    .action(async (file: string, options: Options) => {
      const bytes = await readInput(file);
      const channel = parseNotificationChannel(parseJson("channel", bytes, LIMITS.maxTaskSpecBytes));
      const view = await operatorApi(options).setNotificationChannel(channel as NotificationChannelInput);
      if (options.json === true) return console.log(JSON.stringify(view));
      for (const line of tableLines(CHANNELS, [view])) console.log(line);
    });

  withOperator(command.command("remove"))
    .description("Remove a channel. What waits to be told there is dropped.")
    .argument("<channel>", "its name")
    .option("--yes", "do not ask")
    .addHelpText("after", examples("tributary notify remove ops --yes"))
    .action(async (name: string, options: Options & { readonly yes?: boolean }) => {
      const api = operatorApi(options);
      const { queued } = await api.notificationChannel(name);
      await confirm(`Nothing is told by ${name} any more, and ${queued} that wait are dropped.`, options);
      await api.removeNotificationChannel(name);
      if (options.json === true) return console.log(JSON.stringify({ removed: name }));
      console.log(`channel ${name} was removed`);
    });

  withOperator(command.command("test"))
    .description("Send a notification that says it is a test, once, and say what became of it.")
    .argument("<channel>", "its name")
    .addHelpText("after", examples("tributary notify test ops"))
    .action(async (name: string, options: Options) => {
      const delivery = await operatorApi(options).testNotificationChannel(name);
      if (delivery.state !== "delivered") process.exitCode = EXIT_CODES.failed;
      if (options.json === true) return console.log(JSON.stringify(delivery));
      console.log(
        delivery.state === "delivered"
          ? `${name} took it`
          : `${name} did not take it: ${delivery.lastError ?? delivery.state}`,
      );
    });

  withPaging(withOperator(command.command("log")), { most: 300, standard: 20 })
    .description("Show what was told by a channel and what waits to be, newest first.")
    .argument("<channel>", "its name")
    .addHelpText("after", examples("tributary notify log ops --limit 50"))
    .action(async (name: string, { limit, cursor, ...options }: Options & Paging) => {
      const { deliveries, next } = await operatorApi(options).deliveries(name, { limit, cursor });
      if (options.json === true) return console.log(JSON.stringify({ deliveries, next }));
      if (deliveries.length === 0) return console.log(`nothing was told by ${name} yet`);
      for (const line of tableLines(DELIVERIES, deliveries)) console.log(line);
      printNext(next);
    });
  return command;
}

function stateOf({ enabled, problem, queued, lastError }: NotificationChannelView): string {
  if (!enabled) return "disabled";
  if (problem !== null) return problem;
  if (queued === 0) return "ready";
  return `${queued} wait${lastError === null ? "" : `: ${lastError.message}`}`;
}
