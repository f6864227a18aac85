import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { mintRecordedToken } from "@tributary/coordinator";
import { asPopulationName, failure } from "@tributary/core";
import { Command, Option } from "commander";
import { integerBetween, list } from "../arguments.ts";
import { dataDirOption } from "../operator.ts";
import { examples } from "../examples.ts";

interface TokenOptions {
  readonly dataDir: string;
  readonly population: string;
  readonly ttlMinutes: number;
  readonly devices: number;
  readonly subject?: string;
  readonly tag: readonly string[];
}

/** `tributary token`: what an app's backend hands to a device so that it may enrol. */
export function tokenCommand(): Command {
  return new Command("token")
    .description("Mint an enrolment token with the secret of a coordinator's data directory, and print it.")
    .addOption(dataDirOption())
    .option("--population <name>", "population the device joins", "default")
    .addOption(
      new Option("--ttl-minutes <n>", "how long it is good for")
        .default(60)
        .argParser(integerBetween(1, 527_040)),
    )
    .addOption(
      new Option("--devices <n>", "how many devices may use it")
        .default(1)
        .argParser(integerBetween(1, 1_000_000)),
    )
    .option("--subject <text>", "for whom it is; not interpreted")
    .option("--tag <word>", "a word by which the fleet shows the device; may be repeated", list, [])
    .addHelpText(
      "after",
      examples("tributary token --population homes", "tributary token --devices 500 --tag pilot"),
    )
    .action(async (options: TokenOptions) => {
      const dataDir = resolve(options.dataDir);
      if (!existsSync(join(dataDir, "keys"))) {
        throw failure(
          "cli/file",
          `${dataDir} is no coordinator's data directory: it has no keys; name it with --data-dir`,
          {
            detail: { file: dataDir },
          },
        );
      }
      const token = await mintRecordedToken(dataDir, asPopulationName(options.population), {
        ttlMs: options.ttlMinutes * 60_000,
        maxUses: options.devices,
        tags: options.tag,
        ...(options.subject === undefined ? {} : { subject: options.subject }),
      });
      console.log(token);
    });
}
