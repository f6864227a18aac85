import type { AlertView } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { ALERT_KINDS, ALERT_STATES, type AlertKind } from "@tributary/protocol";
import { Command, Option } from "commander";
import { alertLines, oneAlertLines, silenceLines } from "../alerts/alert-lines.ts";
import { duration, integerBetween } from "../arguments.ts";
import { examples } from "../examples.ts";
import { online, operatorApi, readerApi, type OnlineOptions } from "../operator.ts";
import { printNext, withPaging, type Paging } from "../paging.ts";
import { addAlertRulesCommand } from "./alert-rules.ts";

interface ListOptions extends OnlineOptions, Paging {
  readonly state?: AlertView["state"];
  readonly rule?: string;
  readonly model?: string;
  readonly task?: string;
}

interface SaidOptions extends OnlineOptions {
  readonly comment?: string;
}

interface SilenceOptions extends SaidOptions {
  readonly rule?: string;
  readonly kind?: AlertKind;
  readonly model?: string;
  readonly task?: string;
  readonly for: number;
  readonly from?: string;
  readonly comment: string;
}

const id = integerBetween(1, Number.MAX_SAFE_INTEGER);

/** `tributary alerts list|show|ack|silence|silences|unsilence|rules`. */
export function alertsCommand(): Command {
  const command = new Command("alerts").description(
    "See what is wrong, say that somebody has seen it, silence it for a time, and change what is looked at.",
  );
  withPaging(online(command.command("list")), { most: 500, standard: 50 })
    .description(
      "List alerts: what fires first, the worst at the top, then what is pending, then what has resolved.",
    )
    .addOption(new Option("--state <state>", "only those").choices(ALERT_STATES))
    .option("--rule <name>", "only of this rule")
    .option("--model <name>", "only of this model")
    .option("--task <name>", "only of this task")
    .addHelpText("after", examples("tributary alerts list", "tributary alerts list --state firing --json"))
    .action(async ({ json, url, dataDir, ...query }: ListOptions) => {
      const answer = await readerApi({ url, dataDir }).alerts(query);
      if (json === true) return console.log(JSON.stringify(answer));
      for (const line of alertLines(answer.alerts)) console.log(line);
      printNext(answer.next);
    });

  online(command.command("show"))
    .description("Tell all of one alert: what was found, since when, and what to do.")
    .argument("<alert>", "its number", id)
    .addHelpText("after", examples("tributary alerts show 12"))
    .action(async (alert: number, options: OnlineOptions) =>
      printAlert(await readerApi(options).alert(alert), options),
    );

  online(command.command("ack"))
    .description("Say that somebody has seen an alert that fires: it is not told again.")
    .argument("<alert>", "its number", id)
    .option("--comment <text>", "what is done about it", "")
    .option("--undo", "take it back")
    .addHelpText(
      "after",
      examples(
        'tributary alerts ack 12 --comment "the disk is being grown"',
        "tributary alerts ack 12 --undo",
      ),
    )
    .action(async (alert: number, options: SaidOptions & { readonly undo?: boolean }) => {
      const { comment = "", undo } = options;
      const api = operatorApi(options);
      const after =
        undo === true ? await api.unacknowledgeAlert(alert) : await api.acknowledgeAlert(alert, { comment });
      printAlert(after, options);
    });

  online(command.command("silence"))
    .description(
      "Tell nobody of alerts of which all that is given holds, for a time. They are seen all the same.",
    )
    .option("--rule <name>", "of this rule")
    .addOption(new Option("--kind <kind>", "of rules of this kind").choices(ALERT_KINDS))
    .option("--model <name>", "about this model")
    .option("--task <name>", "about this task")
    .addOption(
      new Option("--for <time>", "how long: 30m, 2h, 3d")
        .argParser(duration(60_000, 90 * 86_400_000))
        .default(3_600_000, "1h"),
    )
    .option("--from <time>", "from then on: 2026-03-01T22:00Z (default: now)")
    .requiredOption("--comment <text>", "why")
    .addHelpText(
      "after",
      examples(
        'tributary alerts silence --rule no-devices --for 8h --comment "the phones are off at night"',
        'tributary alerts silence --model digits --for 3d --comment "trials"',
      ),
    )
    .action(async (options: SilenceOptions) => {
      const { rule, kind, model, task, for: durationMs, from, comment } = options;
      const matcher = {
        ...(rule && { rule }),
        ...(kind && { kind }),
        ...(model && { model }),
        ...(task && { task }),
      };
      if (Object.keys(matcher).length === 0)
        throw failure(
          "cli/usage",
          "alerts silence: name what is to be silenced, by --rule, --kind, --model or --task",
        );
      const startsAt = from === undefined ? undefined : timeOf(from);
      const silence = await operatorApi(options).silence({
        matcher,
        durationMs,
        comment,
        ...(startsAt && { startsAt }),
      });
      if (options.json === true) return console.log(JSON.stringify(silence));
      for (const line of silenceLines([silence])) console.log(line);
    });

  online(command.command("silences"))
    .description("List silences, those that have not ended first.")
    .addHelpText("after", examples("tributary alerts silences"))
    .action(async (options: OnlineOptions) => {
      const silences = await readerApi(options).silences();
      if (options.json === true) return console.log(JSON.stringify({ silences }));
      for (const line of silenceLines(silences)) console.log(line);
    });

  online(command.command("unsilence"))
    .description("End a silence now.")
    .argument("<silence>", "its number", id)
    .addHelpText("after", examples("tributary alerts unsilence 3"))
    .action(async (silence: number, options: OnlineOptions) => {
      const ended = await operatorApi(options).endSilence(silence);
      if (options.json === true) return console.log(JSON.stringify(ended));
      console.log(`silence ${silence} has ended`);
    });

  addAlertRulesCommand(command);
  return command;
}

function printAlert(alert: AlertView, { json }: OnlineOptions): void {
  if (json === true) return console.log(JSON.stringify(alert));
  for (const line of oneAlertLines(alert)) console.log(line);
}

function timeOf(text: string): string {
  const at = Date.parse(text);
  if (Number.isNaN(at))
    throw failure("cli/usage", `--from: expected a time as 2026-03-01T22:00Z, got "${text}"`);
  return new Date(at).toISOString();
}
