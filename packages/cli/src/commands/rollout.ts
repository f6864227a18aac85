import { setTimeout as delay } from "node:timers/promises";
import { versionRanges, type ApiClient, type RolloutChange, type RolloutView } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { simulateRollouts } from "@tributary/federation";
import type { RolloutSimulation, RolloutSpec } from "@tributary/protocol";
import { Command, Option } from "commander";
import { integerBetween, numberBetween } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { missingLines, missingSignaturesOf } from "../models/release-state.ts";
import { dataDirOption, operatorApi, readerApi, urlOption, type OperatorOptions } from "../operator.ts";
import { printNext, withPaging, type Paging } from "../paging.ts";
import { rolloutDocument, withRolloutOptions, type RolloutOptions } from "../rollouts/rollout-document.ts";
import { evidenceLines, headline, rolloutLines, simulationLines } from "../rollouts/rollout-lines.ts";
import { examples } from "../examples.ts";

interface SimulateOptions extends RolloutOptions {
  readonly devices: number;
  readonly rollouts: number;
  readonly seed: number;
  readonly controlRate: number;
  readonly harm: number;
  readonly harmed?: string;
  readonly looks: number;
  readonly json?: boolean;
}

interface ListOptions extends OperatorOptions, Paging {
  readonly json?: boolean;
}

interface StateOptions extends OperatorOptions {
  readonly rollout?: string;
  readonly reason?: string;
  readonly arm?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** How often `watch` looks. */
const WATCH_MS = 2_000;

/** `tributary rollout start|status|list|watch|pause|resume|abort|rollback|promote|simulate`. */
export function rolloutCommand(): Command {
  const command = new Command("rollout").description(
    "Give a version to a channel's devices in steps, compare those that have it with the others, and take it back where it does worse.",
  );
  const withOperator = (sub: Command): Command => sub.addOption(urlOption()).addOption(dataDirOption());

  withSimulation(withRolloutOptions(withOperator(command.command("start"))))
    .description("Start a rollout.")
    .argument("<model>", "the model")
    .option(
      "--dry-run",
      "start nothing: simulate how often it would raise a false alarm, and what harm it would see",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  tributary publish model.onnx --name digits --no-release
  tributary rollout start digits --arm 7
  tributary rollout start digits --arm 7 --steps 5,25,100 --step-minutes 30 --gate crashes:0.01,errors:0.02:not-worse
  tributary rollout start digits --arm a=7 --arm b=8 --steps 20 --gate accuracy:0.02 --telemetry-task how-it-runs
  tributary rollout start digits --arm 7 --dry-run --devices 5000 --harm 0.05`,
    )
    .action(
      async (model: string, options: OperatorOptions & SimulateOptions & { readonly dryRun?: boolean }) => {
        const spec = await rolloutDocument(options);
        if (options.dryRun === true) return printSimulation(spec, options);
        const api = operatorApi(options);
        const started = await api.startRollout(model, spec);
        if (options.json === true) return console.log(JSON.stringify(started));
        for (const line of rolloutLines(started)) console.log(line);
        console.log("");
        for (const line of evidenceLines(started)) console.log(`  ${line}`);
      },
    );

  withSimulation(withRolloutOptions(command.command("simulate")))
    .description(
      "Play a rollout's steps and gates many times, of versions that are alike and of one that does harm: prints the rate of false alarms and the power. Asks no coordinator.",
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `
Examples:
  tributary rollout simulate --devices 2000 --harm 0.1
  tributary rollout simulate --gate crashes:0.01 --steps 1,5,20,100 --devices 20000 --control-rate 0.002 --harm 0.02
  tributary rollout simulate --document rollout.json --rollouts 1000 --seed 7 --json`,
    )
    .action(async (options: SimulateOptions) => {
      // Which version it is does not matter here.
      const arm = options.arm.length > 0 || options.document !== undefined ? options.arm : ["1"];
      printSimulation(await rolloutDocument({ ...options, arm }), options);
    });

  withPaging(command.command("list"), { most: 500, standard: 20 })
    .description("List the rollouts of a model, newest first.")
    .argument("<model>", "the model")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary rollout list digits"))
    .action(async (model: string, { json, limit, cursor, ...options }: ListOptions) => {
      const { rollouts, next } = await readerApi(options).rollouts(model, { limit, cursor });
      if (json === true) return console.log(JSON.stringify({ rollouts, next }));
      for (const view of rollouts) console.log(headline(view));
      if (rollouts.length === 0) console.log("no rollouts");
      printNext(next);
    });

  command
    .command("status")
    .description(
      "How a rollout stands: its steps, and what each gate finds of treated against control devices.",
    )
    .argument("<model>", "the model")
    .option("--rollout <name>", "which one (default: the newest)")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object")
    .addHelpText("after", examples("tributary rollout status digits"))
    .action(async (model: string, options: StateOptions) => {
      const view = await viewOf(readerApi(options), model, options.rollout);
      if (options.json === true) return console.log(JSON.stringify(view));
      for (const line of rolloutLines(view)) console.log(line);
    });

  command
    .command("watch")
    .description(
      "Print how a rollout stands whenever it changes, until it ends; fails where it is taken back.",
    )
    .argument("<model>", "the model")
    .option("--rollout <name>", "which one (default: the newest)")
    .addOption(urlOption())
    .addOption(dataDirOption())
    .option("--json", "print one JSON object a line")
    .addHelpText("after", examples("tributary rollout watch digits"))
    .action(async (model: string, options: StateOptions) => {
      const api = readerApi(options);
      const { rollout } = await viewOf(api, model, options.rollout);
      let before = "";
      for (;;) {
        const view = await api.rollout(model, rollout);
        const text = JSON.stringify({ ...view, waitsFor: [] });
        if (text !== before) {
          const lines = options.json === true ? [JSON.stringify(view)] : [...rolloutLines(view), ""];
          for (const line of lines) console.log(line);
        }
        before = text;
        if (view.endedAt !== null) {
          if (view.state === "rolled-back") process.exitCode = 1;
          return;
        }
        await delay(WATCH_MS);
      }
    });

  const change = (
    name: string,
    action: RolloutChange["action"],
    about: string,
    consequence?: (view: RolloutView) => string,
  ): void => {
    const sub = withOperator(command.command(name))
      .description(about)
      .argument("<model>", "the model")
      .option("--rollout <name>", "which one (default: the newest)")
      .option("--json", "print one JSON object");
    if (action === "promote") sub.option("--arm <name>", "of several arms the one that is released");
    else if (action !== "resume") sub.option("--reason <text>", "why, for whoever reads the audit log");
    if (consequence !== undefined) sub.option("--yes", "do not ask");
    sub.addHelpText(
      "after",
      `\nExamples:\n  tributary rollout ${name} digits${consequence === undefined ? "" : " --yes"}`,
    );
    sub.action(async (model: string, options: StateOptions) => {
      const api = operatorApi(options);
      const view = await viewOf(api, model, options.rollout);
      requireUnderWay(view);
      if (consequence !== undefined) await confirm(consequence(view), options);
      const { reason, arm } = options;
      const after = await api.changeRollout(model, view.rollout, {
        action,
        ...(reason === undefined ? {} : { reason }),
        ...(arm === undefined ? {} : { arm }),
      });
      // Nothing else moves the channel to a version.
      const missingSignatures =
        action === "promote" ? await missingSignaturesOf(api, model, view.channel) : [];
      if (options.json === true) return console.log(JSON.stringify({ ...after, missingSignatures }));
      console.log(headline(after));
      for (const line of missingLines(missingSignatures)) console.log(line);
    });
  };
  const tried = ({ arms }: RolloutView): readonly number[] =>
    arms.flatMap(({ state, version }) => (state === "tried" ? [version] : []));
  change(
    "pause",
    "pause",
    "Go on to no further step. Devices keep what they run, and what does worse is still taken back.",
  );
  change("resume", "resume", "Go on with a paused rollout.");
  change(
    "abort",
    "abort",
    "End a rollout without blaming its versions: devices go back to what the channel points to.",
    (view) =>
      `Devices of ${view.model} go back to version ${view.control}; ${versionRanges(tried(view))} may be tried again.`,
  );
  change(
    "rollback",
    "rollback",
    "Take a rollout back and withdraw its versions: devices go back to what they still hold, and the versions are never offered again.",
    (view) =>
      `Withdrawn for good: ${versionRanges(tried(view))} of ${view.model}. Training from there goes back, and devices run version ${view.control}.`,
  );
  change(
    "promote",
    "promote",
    "Move the channel to an arm's version now, whatever steps are left.",
    (view) =>
      `Channel ${view.channel} of ${view.model} moves to an arm's version for all devices, without the steps that are left.`,
  );
  return command;
}

function withSimulation(command: Command): Command {
  return command
    .addOption(
      new Option("--devices <n>", "simulated fleet").argParser(integerBetween(1, 1_000_000)).default(1000),
    )
    .addOption(
      new Option("--rollouts <n>", "simulated of each kind")
        .argParser(integerBetween(1, 100_000))
        .default(200),
    )
    .addOption(
      new Option("--seed <n>", "of the simulation").argParser(integerBetween(0, 2 ** 32 - 1)).default(1),
    )
    .addOption(
      new Option("--control-rate <rate>", "what control devices show by each gate")
        .argParser(numberBetween(-1, 1))
        .default(0.01),
    )
    .addOption(
      new Option("--harm <rate>", "how much more treated devices show")
        .argParser(numberBetween(0, 1))
        .default(0.1),
    )
    .option("--harmed <metric>", "by which gate (default: the first)")
    .addOption(
      new Option("--looks <n>", "looks at the evidence in each step")
        .argParser(integerBetween(1, 10_000))
        .default(20),
    );
}

function printSimulation(spec: RolloutSpec, options: SimulateOptions): void {
  const { devices, looks, rollouts, seed, controlRate, harm, harmed } = options;
  const harmedGate = harmed === undefined ? 0 : spec.gates.findIndex(({ metric }) => metric === harmed);
  if (harmedGate < 0 || spec.gates.length === 0)
    throw failure("cli/usage", `there is no gate on ${harmed ?? "anything"}: name one with --gate`);
  const found: RolloutSimulation = simulateRollouts(
    spec,
    {
      devices,
      looksPerStep: looks,
      rates: {
        control: spec.gates.map(() => controlRate),
        harm: spec.gates.map((_, i) => (i === harmedGate ? Math.min(harm, 1 - controlRate) : 0)),
      },
    },
    { rollouts, seed },
  );
  if (options.json === true) return console.log(JSON.stringify(found));
  for (const line of simulationLines(found, spec.falseAlarmRate)) console.log(line);
}

/** @throws `federation/rollout-ended` */
function requireUnderWay({ model, rollout, state, endedAt, reason }: RolloutView): void {
  if (endedAt === null) return;
  const why = reason === null ? "" : ` (${reason.code}: ${reason.message})`;
  throw failure(
    "federation/rollout-ended",
    `rollout ${rollout} of ${model} has ended: ${state} at ${endedAt}${why}`,
    { detail: { model, rollout, state } },
  );
}

async function viewOf(api: ApiClient, model: string, rollout?: string): Promise<RolloutView> {
  if (rollout !== undefined) return api.rollout(model, rollout);
  const [newest] = (await api.rollouts(model, { limit: 1 })).rollouts;
  if (newest !== undefined) return newest;
  throw failure("cli/usage", `${model} has no rollout: start one with tributary rollout start ${model}`);
}
