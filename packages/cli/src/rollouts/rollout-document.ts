import { failure, TributaryError } from "@tributary/core";
import { parseRolloutSpec, ROLLOUT_METRICS, type RolloutSpec } from "@tributary/protocol";
import { InvalidArgumentError, Option, type Command } from "commander";
import { integerBetween, list, numberBetween } from "../arguments.ts";
import { jsonOf, readInput } from "../read-input.ts";

/** A rollout as the command line says it; a document's fields come first, and these over them. */
export interface RolloutOptions {
  readonly document?: string;
  readonly arm: readonly string[];
  readonly channel?: string;
  readonly population?: string;
  readonly steps?: readonly number[];
  readonly stepMinutes?: number;
  readonly minimumDevices?: number;
  readonly gate: readonly string[];
  readonly falseAlarms?: number;
  readonly observeSeconds?: number;
  readonly telemetryTask?: string;
  readonly runtime?: string;
}

export function withRolloutOptions(command: Command): Command {
  return command
    .option("--document <file>", "the rollout as JSON; what is given here besides goes over it")
    .option(
      "--arm <[name=]version>",
      "a version that is tried; each of several is compared with the control",
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option("--channel <name>", "whose devices (default: stable)")
    .option("--population <name>", "devices that are watched (default: default)")
    .addOption(
      new Option("--steps <percents>", "shares of the devices, in order (default: 1,10,50,100)").argParser(
        percents,
      ),
    )
    .addOption(
      new Option("--step-minutes <n>", "each step lasts at least (default: 60)").argParser(
        numberBetween(-1, 129_600),
      ),
    )
    .addOption(
      new Option("--minimum-devices <n>", "of each arm before a step may pass (default: 5)").argParser(
        integerBetween(0, 1_000_000),
      ),
    )
    .option(
      "--gate <metric[:margin[:not-worse]]>",
      `${ROLLOUT_METRICS.join(", ")}; latency as latency@100:0.05, by milliseconds; worse by more than the margin is taken back (default: crashes, self-checks and errors, 0.02)`,
      list,
      [],
    )
    .addOption(
      new Option("--false-alarms <rate>", "of the whole rollout (default: 0.05)").argParser(
        numberBetween(0, 0.5),
      ),
    )
    .addOption(
      new Option("--observe-seconds <n>", "how long each device is watched (default: 900)").argParser(
        numberBetween(-1, 2_592_000),
      ),
    )
    .option("--telemetry-task <name>", "task of kind telemetry, for gates on accuracy, confidence and drift")
    .option("--runtime <version>", "least version of the runtime, x.y.z");
}

/** @throws `protocol/invalid-document`, `cli/file`, `cli/usage` */
export async function rolloutDocument(options: RolloutOptions): Promise<RolloutSpec> {
  const read: Record<string, unknown> =
    options.document === undefined
      ? {}
      : (jsonOf(options.document, await readInput(options.document)) as Record<string, unknown>);
  const named = <Key extends string, Value>(key: Key, value: Value | undefined) =>
    value === undefined ? {} : { [key]: value };
  const { steps = [1, 10, 50, 100], stepMinutes, minimumDevices } = options;
  const stepped = options.steps !== undefined || stepMinutes !== undefined || minimumDevices !== undefined;
  const document = {
    ...read,
    ...(options.arm.length === 0 ? {} : { arms: options.arm.map(armOf) }),
    ...named("channel", options.channel),
    ...named("population", options.population),
    ...(stepped
      ? {
          steps: steps.map((percent) => ({
            percent,
            ...named("minimumMs", stepMinutes === undefined ? undefined : Math.round(stepMinutes * 60_000)),
            ...named("minimumDevices", minimumDevices),
          })),
        }
      : {}),
    ...(options.gate.length === 0 ? {} : { gates: options.gate.map(gateOf) }),
    ...named("falseAlarmRate", options.falseAlarms),
    ...named(
      "observeMs",
      options.observeSeconds === undefined ? undefined : Math.round(options.observeSeconds * 1000),
    ),
    ...named("telemetryTask", options.telemetryTask),
    ...named("runtime", options.runtime),
  };
  if (!("arms" in document))
    throw failure("cli/usage", "which version is rolled out? Name it with --arm VERSION, or in --document");
  try {
    return parseRolloutSpec(document);
  } catch (error) {
    // Where no file said it, an option did.
    if (options.document === undefined && TributaryError.is(error))
      throw failure("cli/usage", error.message, { cause: error, detail: error.detail });
    throw error;
  }
}

function armOf(text: string): { readonly name: string; readonly version: number } {
  const [first = "", second] = text.split("=");
  const [name, version] = second === undefined ? [`v${first}`, first] : [first, second];
  return { name, version: Number(version) };
}

function gateOf(text: string): Record<string, unknown> {
  const [measure = "", margin, toPass] = text.split(":");
  const [metric = "", latencyMs] = measure.split("@");
  return {
    metric,
    ...(margin === undefined || margin === "" ? {} : { margin: Number(margin) }),
    ...(toPass === undefined ? {} : { toPass }),
    ...(latencyMs === undefined ? {} : { latencyMs: Number(latencyMs) }),
  };
}

function percents(text: string): number[] {
  const values = list(text, []).map(Number);
  if (values.length > 0 && values.every((value) => value >= 0 && value <= 100)) return values;
  throw new InvalidArgumentError(`Expected percentages from 0 to 100 with commas, got "${text}".`);
}
