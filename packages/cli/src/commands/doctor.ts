import { createApiClient } from "@tributary/api-client";
import { Command } from "commander";
import { counted } from "../counted.ts";
import { checkCoordinator } from "../doctor/coordinator.ts";
import { checkDataDir } from "../doctor/data-dir.ts";
import { findingLines, type Finding } from "../doctor/finding.ts";
import { checkMachine } from "../doctor/machine.ts";
import { dataDirOption, operatorTokenIfAny, urlOption, type OperatorOptions } from "../operator.ts";
import { CLI_VERSION } from "../version.ts";
import { examples } from "../examples.ts";

interface Options extends OperatorOptions {
  readonly local?: boolean;
  readonly json?: boolean;
}

/** `tributary doctor`. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description(
      "Look for what is commonly set up wrong: on this machine, in a coordinator's data directory, and at a coordinator that runs. Changes nothing. Exit code 1 where something will not work.",
    )
    .addOption(dataDirOption())
    .addOption(urlOption())
    .option("--local", "ask no coordinator")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      examples(
        "tributary doctor",
        "tributary doctor --url https://fl.example.org --data-dir /var/lib/tributary",
        "tributary doctor --local --json",
      ),
    )
    .action(async (options: Options) => {
      const findings: Finding[] = [...(await checkMachine()), ...(await checkDataDir(options.dataDir))];
      if (options.local !== true) {
        const token = operatorTokenIfAny(options);
        const api = createApiClient({ baseUrl: options.url, token });
        const { url } = options;
        findings.push(
          ...(await checkCoordinator({ url, token, api, cliVersion: CLI_VERSION, now: Date.now })),
        );
      }
      const problems = findings.filter(({ verdict }) => verdict === "problem").length;
      const warnings = findings.filter(({ verdict }) => verdict === "warning").length;
      if (options.json === true) console.log(JSON.stringify({ problems, warnings, findings }));
      else {
        for (const line of findingLines(findings)) console.log(line);
        console.log(`\n${counted(problems, "problem")}, ${counted(warnings, "warning")}`);
      }
      if (problems > 0) process.exitCode = 1;
    });
}
