#!/usr/bin/env node
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { asModelName, asPopulationName, asTaskName, toFailure, TributaryError } from "@tributary/core";
import type { ExampleTable } from "@tributary/engine/examples";
import { openInstalledTfjs } from "@tributary/engine/tfjs-node";
import type { RuntimeEvent, RuntimeOptions } from "@tributary/runtime";
import { MAX_EXAMPLES } from "@tributary/runtime/internal-node";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { createAgent } from "./agent.ts";
import { askBackend } from "./ask-backend.ts";
import { erasureLines, forgetAgent } from "./forget.ts";
import { humanLine, jsonLine } from "./event-lines.ts";
import { readExamples } from "./read-examples.ts";

interface RunOptions {
  readonly coordinator: string;
  readonly root?: string;
  readonly trustOnFirstUse?: boolean;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly tokenUrl?: string;
  readonly dataDir: string;
  readonly population: string;
  readonly model: string;
  readonly task?: string;
  readonly examples?: string;
  readonly participate: boolean;
  readonly telemetry?: boolean;
  readonly tfjs?: boolean;
  readonly minimumCohort?: number;
  readonly tag?: readonly string[];
  readonly maxStorage?: number;
  readonly log: "human" | "json";
}

/** Exit codes: 0 stopped as asked, 1 failed, 2 the command line is wrong. */
async function run(options: RunOptions): Promise<void> {
  const { root, tokenFile, examples, task } = options;
  if (root === undefined && options.trustOnFirstUse !== true) {
    throw usage("--root FILE is needed: the trust root of the coordinator (or say --trust-on-first-use)");
  }
  const token = tokenOf(options);
  if (tokenFile !== undefined) await readToken(tokenFile);
  if (root === undefined && options.minimumCohort !== undefined) {
    throw usage("--minimum-cohort needs --root FILE: a device that believes any root keeps its floor of 16");
  }
  if (root === undefined) {
    process.stderr.write(
      "tributary-agent: warning: the root that the coordinator shows first is believed unseen; pin one with --root\n",
    );
  }
  const print = (event: RuntimeEvent): void => {
    const line = options.log === "json" ? jsonLine(event) : humanLine(event);
    if (line !== undefined) process.stdout.write(`${line}\n`);
  };
  const stopped = stopSignal();
  const tfjs = options.tfjs === true ? await openInstalledTfjs() : undefined;
  const agent = await createAgent({
    coordinator: options.coordinator,
    trust:
      root === undefined
        ? "first-use"
        : {
            root: resolve(root),
            ...(options.minimumCohort === undefined ? {} : { minimumCohort: options.minimumCohort }),
          },
    token,
    dataDir: resolve(options.dataDir),
    population: options.population,
    model: options.model,
    participate: options.participate,
    telemetry: options.telemetry === true,
    onEvent: print,
    ...(tfjs === undefined ? {} : { tfjs }),
    ...(task === undefined ? {} : { task }),
    ...(options.tag === undefined ? {} : { tags: options.tag }),
    ...(options.maxStorage === undefined ? {} : { maxStorageBytes: options.maxStorage * 1024 ** 2 }),
    ...(examples === undefined ? {} : { examples: () => readAll(examples) }),
  });
  try {
    const failed = agent.ready.then(() => new Promise<never>(() => {}));
    await Promise.race([stopped, failed]);
  } finally {
    await agent.close();
    await tfjs?.close();
  }
}

interface ForgetOptions extends Pick<RunOptions, "coordinator" | "root" | "dataDir" | "population" | "log"> {
  readonly requireCoordinator?: boolean;
}

async function forget(options: ForgetOptions): Promise<void> {
  const { coordinator, population, root, requireCoordinator = false } = options;
  const erasure = await forgetAgent({
    coordinator,
    population,
    // Nothing is run and no model fetched: the root matters to nothing that this does.
    trust: root === undefined ? "first-use" : { root: resolve(root) },
    dataDir: resolve(options.dataDir),
    requireCoordinator,
  });
  const lines = options.log === "json" ? [JSON.stringify(erasure)] : erasureLines(erasure);
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** @throws `cli/usage` where there is none */
function tokenOf({ token, tokenFile, tokenUrl }: RunOptions): NonNullable<RuntimeOptions["token"]> {
  // A file is read again for each enrolment, so that a new token can be put there.
  const read = tokenFile === undefined ? undefined : () => readToken(tokenFile);
  if (tokenUrl !== undefined) {
    return async (device) => askBackend(tokenUrl, (await read?.()) ?? token ?? "")(device);
  }
  const given = read ?? token;
  if (given !== undefined) return given;
  throw usage(
    "--token TOKEN, --token-file FILE or --token-url URL is needed, or TRIBUTARY_ENROLMENT_TOKEN in the environment",
  );
}

async function readAll(path: string): Promise<ExampleTable> {
  const set = await readExamples(path);
  if (set.count > MAX_EXAMPLES) {
    process.stderr.write(
      `tributary-agent: ${path} has ${set.count} examples; a device keeps ${MAX_EXAMPLES}, the last are taken\n`,
    );
  }
  return set;
}

/** @throws `cli/usage` for a file that cannot be read */
async function readToken(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (error) {
    throw usage(`--token-file: ${toFailure(error).message}`);
  }
}

/** Resolves at the first SIGINT or SIGTERM, or when nobody reads the output; a second signal ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolveStop) => {
    let asked = false;
    const onSignal = (): void => {
      if (asked) process.exit(130);
      asked = true;
      resolveStop();
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
    process.stdout.on("error", () => resolveStop());
  });
}

function usage(message: string): TributaryError {
  return new TributaryError("cli/usage", message);
}

/** An option's value, checked while the command line is read. */
function checked<T>(check: (value: string) => T): (value: string) => T {
  return (value) => {
    try {
      return check(value);
    } catch (error) {
      throw new InvalidArgumentError(toFailure(error).message);
    }
  };
}

function asCoordinator(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return value;
  throw new RangeError("expected an http or https URL, such as https://fl.example.org");
}

function asCohort(value: string): number {
  const cohort = Number(value);
  if (Number.isSafeInteger(cohort) && cohort >= 3) return cohort;
  throw new RangeError("expected a whole number of at least 3");
}

function asMebibytes(value: string): number {
  const mebibytes = Number(value);
  if (Number.isSafeInteger(mebibytes) && mebibytes >= 1) return mebibytes;
  throw new RangeError("expected a whole number of at least 1");
}

const program = new Command("tributary-agent")
  .description("One device: runs a model, keeps it up to date, and takes part in federated rounds.")
  .version("0.1.0")
  .showHelpAfterError("(--help lists the options)")
  .exitOverride();
program
  .command("run")
  .description("run until told to stop (SIGINT or SIGTERM)")
  .requiredOption("--coordinator <url>", "origin of the coordinator", checked(asCoordinator))
  .option("--root <file>", "trust root to pin (TUF root.json)")
  .option("--trust-on-first-use", "believe the root that the coordinator shows first; not for production")
  .addOption(new Option("--token <token>", "enrolment token").env("TRIBUTARY_ENROLMENT_TOKEN"))
  .option("--token-file <file>", "file with the enrolment token, read again when the certificate expires")
  .option(
    "--token-url <url>",
    "app's backend that answers with this device's token or certificate; it is shown the token as a bearer's",
    checked(asCoordinator),
  )
  .option("--data-dir <folder>", "keys, models and examples of this device", ".tributary-agent")
  .option("--population <name>", "population to enrol in", checked(asPopulationName), "default" as never)
  .option("--model <name>", "model to run", checked(asModelName), "digits" as never)
  .option("--task <name>", "task to take part in (default: every task of the model)", checked(asTaskName))
  .option(
    "--examples <path>",
    "labelled examples: a safetensors file with a tensor for each input and `labels`, or a folder of IDX files",
  )
  .option("--tag <tag...>", "what this device is: a task may ask only devices with certain tags")
  .option("--no-participate", "train nothing: run the model only")
  .option("--telemetry", "consent to counting how the model runs here, for sums over many devices")
  .option(
    "--tfjs",
    "run and train models of TensorFlow.js: @tensorflow/tfjs, and best @tensorflow/tfjs-backend-wasm, have to be installed",
  )
  .option(
    "--minimum-cohort <n>",
    "fewest devices of a sum that this one's update may enter, from 3; below 16 it is a trial and not private (default: 16)",
    checked(asCohort),
  )
  .option(
    "--max-storage <MiB>",
    "most of models and unfinished downloads that is kept, in MiB; those that are not open give way (default: 2048)",
    checked(asMebibytes),
  )
  .addOption(new Option("--log <format>", "what is printed").choices(["human", "json"]).default("human"))
  .exitOverride()
  .action(run);

program
  .command("forget")
  .description(
    "erase examples, keys and what was learned from them, and the coordinator's record of the device; the agent must not run",
  )
  .requiredOption("--coordinator <url>", "origin of the coordinator", checked(asCoordinator))
  .option("--root <file>", "trust root to pin (TUF root.json)")
  .option("--data-dir <folder>", "keys, models and examples of this device", ".tributary-agent")
  .option(
    "--population <name>",
    "population it is enrolled in",
    checked(asPopulationName),
    "default" as never,
  )
  .option("--require-coordinator", "erase nothing while the coordinator cannot be told")
  .addOption(new Option("--log <format>", "what is printed").choices(["human", "json"]).default("human"))
  .exitOverride()
  .action(forget);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  } else {
    const { code, message } = toFailure(error);
    process.stderr.write(`tributary-agent: ${message} [${code}]\n`);
    process.exitCode = code === "cli/usage" ? 2 : 1;
  }
}
