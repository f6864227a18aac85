import { failure } from "@tributary/core";
import { Command, Option } from "commander";
import { integerBetween } from "../arguments.ts";
import type { StartOptions } from "../start/start.ts";
import { examples } from "../examples.ts";

/** `tributary start`: coordinator, issuer, a local fleet and the demo, in one process. */
export function startCommand(): Command {
  return new Command("start")
    .description(
      "Start a coordinator with a local fleet of devices and the demo, publish the digits model if there is none, and run federated rounds.",
    )
    .addOption(port("--port <n>", "coordinator and dashboard").default(7700))
    .addOption(port("--demo-port <n>", "demo, an origin of its own (default: port + 1)"))
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--data-dir <dir>", "SQLite file, blobs, keys and the fleet's devices", ".tributary")
    .addOption(
      new Option("--devices <n>", "simulated devices").default(24).argParser(integerBetween(1, 1000)),
    )
    .addOption(
      new Option("--rounds <n>", "rounds to run now; afterwards it keeps serving")
        .default(30)
        .argParser(integerBetween(0, 100_000)),
    )
    .option("--no-fleet", "start no devices: wait for real ones")
    .option(
      "--no-secure-aggregation",
      "opt the digits task out: the coordinator sees each update, not only their sum (so it is for fewer than 3 devices, and with --no-fleet)",
    )
    .option(
      "--dataset <dir>",
      "train on a folder of IDX files (the MNIST format, plain or .gz) instead of the built-in digits",
    )
    .addHelpText("after", examples("tributary start", "tributary start --devices 50 --rounds 20"))
    .action(async (options: StartOptions) => {
      if (options.port === 65_535 && options.demoPort === undefined) {
        throw failure("cli/usage", "--port 65535 leaves no port after it for the demo: give --demo-port too");
      }
      if (options.port === options.demoPort && options.port !== 0) {
        throw failure(
          "cli/usage",
          `--demo-port: ${options.port} is the coordinator's; the demo needs an origin of its own`,
        );
      }
      // Only now: help and misuse need no coordinator.
      const { start } = await import("../start/start.ts");
      return start(options);
    });
}

function port(flags: string, description: string): Option {
  return new Option(flags, description).argParser(integerBetween(0, 65_535));
}
